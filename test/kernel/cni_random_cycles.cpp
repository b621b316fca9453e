// ADDs, DELs and kills of many pods at the same time, at random, on a node that has few more addresses than
// pods: one that is lost, or given twice, shows. The choices are always the same, but not the moments;
// ROUTELET_RANDOM_SEED=N makes others, ROUTELET_RANDOM_STEPS=N as many calls.
#include "test/kernel/cni_fixture.h"
#include "test/support/chance.h"
#include "test/support/environment.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

constexpr int many_pods = 10; // 13 addresses of 10.244.1.0/28
constexpr int most_at_once = 6;
constexpr std::size_t calls_between_clean_ups = 60;

// What is known of a pod: a killed call may have come to any point.
enum class Known { absent, attached, nothing };

struct Pod {
    std::string container;
    PodNetns netns;
    Known known = Known::absent;
    std::set<std::string> addresses{}; // while attached
};

class RandomCycles : public CniFixture {
public:
    RandomCycles()
    {
        config["ipam"]["ranges"] =
            json::parse(R"([[{"subnet": "10.244.1.0/28"}], [{"subnet": "fd00:1::/64"}]])");
        for (int i = 0; i < many_pods; ++i)
            pods_.push_back({"pod" + std::to_string(i), make_pod_netns()});
    }

    void run(std::uint64_t seed, std::size_t calls)
    {
        INFO("ROUTELET_RANDOM_SEED=" << seed);
        Chance chance(seed);
        const auto began = std::chrono::steady_clock::now();
        finish("ADD", pods_[0], start("ADD", pods_[0].container, pods_[0].netns.path()).wait());
        whole_call_ = std::chrono::steady_clock::now() - began;

        for (std::size_t clean_up = calls_between_clean_ups; calls_ < calls;) {
            INFO("call " << calls_);
            at_once(chance);
            check();
            if (calls_ >= clean_up) {
                clean_up += calls_between_clean_ups;
                delete_all();
            }
        }
        delete_all();
    }
    std::size_t killed() const { return killed_; }

private:
    struct Running {
        Pod* pod;
        std::string command;
        CniCall call;
    };

    // One call for each of some pods, all running at the same time; every third is killed.
    void at_once(Chance& chance)
    {
        std::vector<Pod*> order;
        for (Pod& pod : pods_)
            order.push_back(&pod);
        chance.shuffle(order);
        order.resize(static_cast<std::size_t>(chance.number(2, most_at_once)));

        std::vector<Running> running;
        for (Pod* pod : order) {
            const std::string command = pod->known == Known::absent     ? "ADD"
                                        : pod->known == Known::attached ? "DEL"
                                                                        : chance.one_of({"ADD", "DEL"});
            // A runtime may have lost the namespace of a pod that it deletes.
            const std::string netns = command == "DEL" && chance.one_in(3) ? "" : pod->netns.path();
            running.push_back({pod, command, start(command, pod->container, netns)});
        }
        const int most =
            static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(whole_call_).count() * 2);
        for (const Running& one : running)
            if (chance.one_in(3)) {
                ::usleep(static_cast<useconds_t>(chance.number(0, most) / most_at_once));
                one.call.kill();
            }
        for (Running& one : running)
            finish(one.command, *one.pod, one.call.wait());
    }

    void finish(const std::string& command, Pod& pod, const CniReply& reply)
    {
        ++calls_;
        CAPTURE(command, pod.container, reply.output, reply.errors);
        REQUIRE(reply.errors.empty()); // nothing had to be mended
        if (reply.exit_code == -1) {
            ++killed_;
            pod.known = Known::nothing;
        } else if (command == "DEL") {
            REQUIRE(reply.exit_code == 0);
            pod.known = Known::absent;
        } else if (reply.exit_code != 0) {
            REQUIRE(pod.known == Known::nothing); // its ADD was killed after all was done
            REQUIRE(reply.code() == 102);
        } else {
            pod.known = Known::attached;
            pod.addresses.clear();
            const json result = reply.document();
            for (const auto& ip : result["ips"]) {
                const std::string text = ip["address"];
                pod.addresses.insert(text.substr(0, text.find('/')));
            }
        }
    }

    // No two pods have an address, and each address of a pod is reserved for it.
    void check()
    {
        std::set<std::string> seen;
        for (const Pod& pod : pods_) {
            if (pod.known != Known::attached)
                continue;
            for (const std::string& address : pod.addresses) {
                CAPTURE(pod.container, address);
                REQUIRE(seen.insert(address).second);
                REQUIRE(need(read_file(state() / address)) == pod.container + "\r\neth0");
                REQUIRE(need(netlink::find_link_by_alternative_name(socket(), "pod-" + address))->name ==
                        cni::host_interface_name({pod.container, "eth0"}));
            }
        }
    }

    void delete_all()
    {
        for (Pod& pod : pods_)
            finish("DEL", pod, call("DEL", pod.container, pod.netns.path()));
        REQUIRE(reservations().empty());
        REQUIRE(std::filesystem::is_empty(state() / "by-id"));
        REQUIRE(veths().empty());
    }

    std::vector<Pod> pods_;
    std::chrono::steady_clock::duration whole_call_{};
    std::size_t calls_ = 0;
    std::size_t killed_ = 0;
};

} // namespace

TEST_CASE_METHOD(RandomCycles,
                 "whatever is added, deleted and killed at the same time, no address is lost or doubled",
                 "[kernel][cni][random]")
{
    const std::uint64_t calls = number_in_environment("ROUTELET_RANDOM_STEPS", 500);
    run(number_in_environment("ROUTELET_RANDOM_SEED", 20261126), calls);
    CHECK(killed() > calls / 20); // else the moments above miss what they are for
}
