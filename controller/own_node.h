#pragma once
#include "k8sclient/node.h"

#include <cstdint>
#include <string>

namespace routelet::controller {

// This machine's own Node as the API server last told it: what matters to the node's life, and not to
// routing. Is told the same as NodeTable, and like that keeps what it knows of a Node that is too large.
class OwnNode {
public:
    explicit OwnNode(std::string name) : name_(std::move(name)) {}

    // A new list counts once all of it is there.
    void begin_list() { listed_ = {}; }
    void list(const k8s::Node& node);
    void end_list();
    void upsert(const k8s::Node& node);
    void erase(const std::string& name);

    struct State {
        std::string uid = {}; // empty: the API server has no such Node, as far as is known
        k8s::ConditionState network_unavailable = {};
        std::uint64_t times_told = 0; // another number: it was told anew
    };
    const State& state() const noexcept { return state_; }

private:
    State read(const k8s::Node& node) const;
    void become(State state);

    std::string name_;
    State state_;
    State listed_; // of the list that has begun
};

} // namespace routelet::controller
