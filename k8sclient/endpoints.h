#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace routelet::k8s {

// Where an API server listens.
struct Endpoint {
    std::string host; // DNS name or address, IPv6 without brackets
    std::uint16_t port = 443;

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Which of the servers of one cluster is asked. They are in an order that `seed` decides, so that the agents
// of a cluster spread over all servers, and those of a server that fails spread over the others. One is
// stayed with until it is left; behind the last comes the first again.
class Endpoints {
public:
    // Requires: at least one.
    Endpoints(std::vector<Endpoint> all, std::uint64_t seed);

    const Endpoint& current() const { return all_[current_]; }
    std::size_t size() const noexcept { return all_.size(); }
    void leave_current() noexcept { current_ = (current_ + 1) % all_.size(); }

private:
    std::vector<Endpoint> all_;
    std::size_t current_ = 0;
};

} // namespace routelet::k8s
