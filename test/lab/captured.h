#pragma once
#include "base/file.h"
#include "test/lab/json.h"
#include "test/support/catch.h"

#include <string>

namespace routelet::lab {

// What a real server said: fixtures/kube-apiserver-1.34/README.md.
inline std::string captured(const std::string& name)
{
    return test::need(read_file(std::string(ROUTELET_FIXTURES) + "/kube-apiserver-1.34/" + name));
}

inline Json captured_json(const std::string& name)
{
    return Json::parse(captured(name));
}

} // namespace routelet::lab
