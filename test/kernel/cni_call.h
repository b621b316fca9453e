#pragma once
#include "base/unique_fd.h"
#include "netlink/netns.h"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <map>
#include <string>

namespace routelet::test {

// What a call of the plugin left: its exit code (-1 when a signal ended it) and what it printed.
struct CniReply {
    int exit_code = -1;
    std::string output;
    std::string errors;

    nlohmann::json document() const { return nlohmann::json::parse(output); }
    int code() const { return document().at("code").get<int>(); }
    std::string message() const { return document().at("msg").get<std::string>(); }
};

// A running child process of the real program, started as a runtime does: parameters in its environment, the
// configuration on standard input.
class CniCall {
public:
    // `program` is the name that it is called by.
    CniCall(const std::map<std::string, std::string>& environment, const std::string& input,
            std::string program = "routelet-cni");
    CniCall(const CniCall&) = delete;
    CniCall(CniCall&& other) noexcept;
    ~CniCall(); // ends the process if it still runs

    void kill() const; // SIGKILL, as runtimes do on a timeout
    CniReply wait();

private:
    pid_t child_ = -1;
    UniqueFd input_;
    UniqueFd output_;
    UniqueFd errors_;
};

// A pod's network namespace with a path that other processes can open.
struct PodNetns {
    netlink::NetNamespace netns;
    std::string path() const;
};
PodNetns make_pod_netns();

} // namespace routelet::test
