#pragma once
#include "test/lab/negotiate.h"
#include "test/lab/request.h"
#include "test/lab/store.h"

#include <cstddef>
#include <string>
#include <vector>

namespace routelet::lab {

// Nodes that are in no store: made on the fly, each time that they are read, from one template
// (realistic_node.h). For clusters so large that their objects would not fit into memory.
//
// All have names, uids, resourceVersions, podCIDRs (a /26 of 10.0.0.0/8) and InternalIPs (of 172.16.0.0/12)
// of their own; the rest is alike. They never change. Thread-safe.
class SimulatedNodes {
public:
    static constexpr std::size_t limit = 262'144; // as many /26 there are in 10.0.0.0/8

    // `bytes`: of one Node as JSON, about. Throws std::invalid_argument beyond the limit.
    SimulatedNodes(std::size_t count, std::size_t bytes);

    std::size_t count() const noexcept { return count_; }
    Version version() const noexcept { return count_ + 1; } // of the last that was "written"

    // All of them behind `nodes` as one NodeList, whose body comes piece by piece. `this` must outlive the
    // reply. Requires: the form is JSON or protobuf.
    Reply list(const Json& metadata, const std::vector<Object>& nodes, Form form) const;

    // An ADDED of a watch, with its frame; 0 <= index < count().
    std::string added(std::size_t index, Form form) const;

private:
    std::string json(std::size_t index) const;     // an item of a list
    std::string protobuf(std::size_t index) const; // the message, without tag or length
    void append_item(std::string& out, std::size_t index, Form form) const;

    std::size_t count_;
    struct {
        std::string metadata; // behind resourceVersion
        std::string before_addresses;
        std::string behind_addresses;
    } json_, protobuf_;
    std::size_t protobuf_size_ = 0; // of all items of a list, with tags and lengths
};

} // namespace routelet::lab
