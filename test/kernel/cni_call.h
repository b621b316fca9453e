#pragma once
#include "base/unique_fd.h"
#include "netlink/netns.h"
#include "test/support/system_calls.h"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <functional>
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
    struct How {
        std::string program = ROUTELET_CNI_PROGRAM;
        std::string called_as = program; // its first argument
        bool is_traced = false;          // be_traced(): it stops before its first instruction
    };

    CniCall(const std::map<std::string, std::string>& environment, const std::string& input, const How& how);
    CniCall(const std::map<std::string, std::string>& environment, const std::string& input)
        : CniCall(environment, input, How{})
    {
    }
    CniCall(const CniCall&) = delete;
    CniCall(CniCall&& other) noexcept;
    ~CniCall(); // ends the process if it still runs

    void kill() const; // SIGKILL, as runtimes do on a timeout
    CniReply wait();
    // Of a call that is traced: with a say in each of its system calls.
    CniReply wait_asking(const std::function<Fate(const SystemCall&)>& decide);

private:
    CniReply reply(int status) const;

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
