// Thousands of random things that happen to a server and between it and the client, of which any one may be
// repeated: ROUTELET_RANDOM_SEED=N (shown with a failure) makes the same choices again.
#include "test/lab/wire.h"
#include "test/support/chance.h"

#include <cstdlib>

using namespace routelet;
using namespace routelet::test;

namespace {

constexpr int rounds = 8;             // with a new server and reflector each
constexpr int steps_of_a_round = 400; // with the invariant checked on the way
constexpr int steps_between_checks = 20;
constexpr int most_nodes = 12;

std::uint64_t seed()
{
    if (const char* text = std::getenv("ROUTELET_RANDOM_SEED"))
        return std::stoull(text);
    return std::random_device{}();
}

k8s::ReflectorOptions some_options(Chance& chance)
{
    k8s::ReflectorOptions options =
        quick(chance.one_of({Encoding::json, Encoding::protobuf}), chance.one_of({true, false}));
    options.backoff_first = 1ms;
    options.backoff_most = 8ms;
    options.doubt = 2ms;
    options.page_size = 3;
    options.watch_timeout_least = 1s;
    options.patience = {.list = 150ms,
                        .whole_list = 500ms,
                        .watch_head = 150ms,
                        .refusal = 50ms,
                        .bookmark = 150ms,
                        .watch_end = 50ms};
    return options;
}

Fault some_fault(Chance& chance, Encoding encoding)
{
    using What = Fault::What;
    Fault fault;
    fault.what = chance.one_of({What::refuse, What::silence, What::cut, What::status, What::garbage,
                                What::byte_by_byte, What::delay, What::gone, What::no_bookmarks,
                                What::duplicate, What::chunks, What::content_type, What::end});
    fault.requests = chance.one_of(
        {Fault::Requests::any, Fault::Requests::list, Fault::Requests::watch, Fault::Requests::connect});
    fault.times = static_cast<unsigned>(chance.number(1, 3));
    fault.after_frames = static_cast<std::size_t>(chance.number(0, most_nodes));
    fault.after_bytes = static_cast<std::size_t>(chance.one_of({0, 0, 1, chance.number(0, 2000)}));
    fault.status =
        static_cast<unsigned>(chance.one_of({400, 403, 404, 406, 410, 422, 429, 500, 502, 503, 504}));
    fault.delay = std::chrono::milliseconds(chance.number(0, 3));
    fault.size = static_cast<std::size_t>(chance.number(1, 50));
    fault.reset = chance.one_of({true, false});
    if (fault.what == What::garbage && chance.one_of({true, false}))
        fault.body = frame(encoding, "ERROR", status(chance.one_of({0, 410, 429, 500, 504}), "ALabsFault"));
    return fault;
}

// Returns what it did, for the one who has to understand a failure.
std::string take_a_step(Chance& chance, Lab& lab, Reflection& reflection, Encoding encoding,
                        bool& has_lost_nodes)
{
    const std::string name = "node" + std::to_string(chance.number(1, most_nodes));
    switch (chance.number(0, 11)) {
    case 0:
    case 1:
    case 2:
    case 3: {
        const std::string pod_cidr = "10.244." + std::to_string(chance.number(0, 255)) + ".0/24";
        lab.put(name, pod_cidr);
        return "put " + name + " " + pod_cidr;
    }
    case 4:
    case 5:
        if (!lab.truth.nodes.contains(name))
            return "nothing";
        lab.remove(name);
        return "remove " + name;
    case 6:
    case 7: {
        const Fault fault = some_fault(chance, encoding);
        lab.server->inject(fault);
        return "inject " + to_json(fault).dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    case 8:
        if (std::exchange(has_lost_nodes, true)) { // two of them are to be believed
            lab.server->compact();
            return "compact";
        }
        lab.server->inject({.what = Fault::What::empty_list});
        return "an empty list";
    case 9:
        if (chance.number(0, 3) > 0)
            return "nothing";
        lab.restart();
        return "restart";
    default: {
        const std::chrono::milliseconds time(chance.number(0, 30));
        reflection.sees([] { return false; }, time);
        return "wait " + std::to_string(time.count()) + " ms";
    }
    }
}

} // namespace

TEST_CASE("whatever happens, the table ends equal to the server's, and lacked only what the server lacked",
          "[k8sclient][lab][random]")
{
    const std::uint64_t of_this_run = seed();
    for (int round = 0; round < rounds; ++round) {
        Chance chance(of_this_run + static_cast<std::uint64_t>(round));
        INFO("ROUTELET_RANDOM_SEED=" << of_this_run << ", round " << round);
        Lab lab({.bookmark_interval = 20ms, .version_wait = 50ms});
        const k8s::ReflectorOptions options = some_options(chance);
        Reflection reflection(lab, options);
        std::string done;
        bool has_lost_nodes = false; // since the last check
        for (int step = 1; step <= steps_of_a_round; ++step) {
            done += take_a_step(chance, lab, reflection, options.encoding, has_lost_nodes) + "\n";
            if (step % steps_between_checks > 0)
                continue;
            lab.server->heal();
            lab.put("checked", "10.245." + std::to_string(step % 256) + ".0/24"); // no old list has it
            has_lost_nodes = false;
            const bool is_equal = reflection.sees_truth();
            INFO("since the last time that it was right:\n" << done);
            REQUIRE(is_equal);
            REQUIRE(reflection.seen.wrong == std::vector<std::string>{});
            REQUIRE_FALSE(reflection.has_ended);
            done.clear();
        }
        CHECK(reflection.cancel());
    }
}
