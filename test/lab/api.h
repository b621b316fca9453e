#pragma once
#include "test/lab/negotiate.h"
#include "test/lab/request.h"
#include "test/lab/store.h"
#include "test/lab/watch.h"

#include <variant>

namespace routelet::lab {

// The request is about a version that is yet to come: ask again when the store is there.
struct WaitFor {
    Version version = 0;
};

using Answer = std::variant<Reply, WatchStart, WaitFor>;

// What servers differ in.
struct ReadRules {
    bool watch_list = true;                    // the feature gate WatchList (KEP-3157), on from 1.34 on
    const SimulatedNodes* simulated = nullptr; // besides those of the store; their limit is none
};

// The Kubernetes API over a store: who may do what, paths, verbs. No I/O: a request in, an answer out.
class Api {
public:
    explicit Api(Store& store, ReadRules rules = {}) : store_(store), rules_(rules) {}

    // Never throws a Refusal: those are answered as Status objects. `patient`: a version that is yet to come
    // is answered WaitFor, instead of 504 at once.
    Answer answer(const Request& request, bool patient);

private:
    Answer route(const Request& request, bool patient);

    Store& store_;
    ReadRules rules_;
};

Reply json_reply(const Json& body, unsigned status = 200);
Reply status_reply(const Json& status, unsigned code, Form form); // a Status object
Reply refusal_reply(const class Refusal& refusal, Form form);

} // namespace routelet::lab
