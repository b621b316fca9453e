#pragma once
#include "base/file.h"
#include "k8sclient/node_api.h"
#include "test/support/catch.h"
#include "test/support/coroutine.h"
#include "test/support/temporary_directory.h"

#include <string>
#include <vector>

namespace routelet::test {

// A NodeApi that lists, on this thread, and what it says about how it reaches the server.
class ApiClient {
public:
    explicit ApiClient(k8s::ClusterConfig config) : api_(loop_.get_executor(), std::move(config))
    {
        api_.on_notice([this](const k8s::AccessNotice& notice) { notices.push_back(notice); });
    }

    // Asks for all nodes; the text of what was in the way, or nothing.
    std::string list()
    {
        const auto page = run(loop_, api_.list("/api/v1/nodes?resourceVersion=0", [](k8s::Node) {}));
        return page.has_value() ? "" : page.error().error.text();
    }
    std::vector<k8s::AccessNotice> notices;

private:
    boost::asio::io_context loop_;
    k8s::NodeApi api_;
};

} // namespace routelet::test
