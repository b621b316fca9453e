#pragma once
#include <chrono>
#include <string>

namespace routelet::k8s {

// What happened, to be told as an Event of an object without namespace (core/v1 Event).
struct EventNote {
    enum class Type { normal, warning };

    Type type = Type::normal;
    std::string reason = {};     // CamelCase, one word; at most 128 bytes are sent
    std::string message = {};    // for people; at most 1024 bytes are sent, cut at a character's end
    std::string kind = "Node";   // of the object, of apiVersion v1
    std::string name = {};       // the object's
    std::string object_uid = {}; // the object's real one

    friend bool operator==(const EventNote&, const EventNote&) = default;
};

// The same moment by both clocks: the one that nobody sets, and the one that people read.
struct Moment {
    std::chrono::steady_clock::time_point steady;
    std::chrono::system_clock::time_point wall;

    static Moment now() { return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()}; }
};

// An Event as it is to be on the server.
struct Event {
    EventNote note;
    std::string name = {}; // its own
    unsigned count = 1;
    std::chrono::system_clock::time_point first = {};
    std::chrono::system_clock::time_point last = {};
};

// Who tells Events (core/v1 EventSource; reportingComponent and reportingInstance).
struct EventSource {
    std::string component; // "routelet"
    std::string host;      // the node's name
};

// The bodies of the requests: POST creates, a merge patch counts on. Bytes that are no UTF-8 are replaced.
std::string event_body(const Event& event, const EventSource& source);
std::string event_count_patch(const Event& event);

} // namespace routelet::k8s
