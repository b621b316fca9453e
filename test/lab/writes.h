#pragma once
#include "test/lab/api.h"
#include "test/lab/kind.h"

#include <string>

namespace routelet::lab {

// The object that a write is about.
struct Place {
    const Kind& kind;
    std::string space; // namespace, "" for cluster-wide kinds
    std::string name;  // "" for create
    bool is_status = false;

    std::string key() const { return kind.resource + "/" + (space.empty() ? "" : space + "/") + name; }
};

// POST, PUT, PATCH, DELETE. Each throws Refusal. A request with dryRun=All is answered as if, and changes
// nothing.
Reply create(Store& store, Place place, const Request& request);
Reply replace(Store& store, const Place& place, const Request& request);
Reply patch(Store& store, const Place& place, const Request& request);
Reply remove(Store& store, const Place& place, const Request& request);

// Gives an object what every new one gets, where it is missing: uid and creationTimestamp.
void complete_metadata(Json& object);

} // namespace routelet::lab
