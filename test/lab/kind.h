#pragma once
#include "test/lab/json.h"

#include <set>
#include <string>
#include <string_view>

namespace routelet::lab {

// A kind of object that the server keeps, and the rules that are its own.
struct Kind {
    std::string resource; // "nodes": in paths, keys and messages
    std::string name;     // "Node"
    bool namespaced = false;
    bool has_protobuf = false;                 // the lab knows its schema
    std::set<std::string, std::less<>> fields; // that a fieldSelector may name
    void (*complete)(Json& object);            // fills what the server fills, on every write
    void (*check_new)(const Json& object);     // throws Refusal
    void (*check_update)(const Json& before, const Json& after); // throws Refusal
};

// Null for what the server does not know.
const Kind* find_kind(std::string_view resource);

} // namespace routelet::lab
