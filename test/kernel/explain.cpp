// `routelet explain` on the real kernel: each way of breaking is brought about, and found.
#include "controller/diagnosis/explain_command.h"
#include "controller/masquerade_table.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/temporary_directory.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// node01, whose neighbour node02 is there and answers.
struct ExplainingNode : NetnsFixture {
    netlink::NetNamespace node02 = another_netns();
    TemporaryDirectory temporary;
    PathOptions options{.state_dir = temporary.path};
    StatusReport agent{.node = "node01",
                       .state = "ready",
                       .api_server = "https://10.0.0.1:6443",
                       .api_state = "working",
                       .api_since = "2026-01-01T00:00:00Z",
                       .api_error = "",
                       .nodes = {{"node01", "10.244.1.0/24", "self"},
                                 {"node01", "fd00:10:244:1::/64", "self"},
                                 {"node02", "10.244.2.0/24", "routed", "192.168.1.12"},
                                 {"node02", "fd00:10:244:2::/64", "routed", "fd00:1::12"}}};

    ExplainingNode()
    {
        run("ip link add eth0 type veth peer name eth0 netns /proc/" + std::to_string(::getpid()) + "/fd/" +
            std::to_string(node02.fd()) +
            " && ip link set eth0 up && ip address add 192.168.1.11/24 dev eth0 && "
            "ip address add fd00:1::11/64 dev eth0 nodad && echo 1 >/proc/sys/net/ipv4/ip_forward && "
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        in_netns(node02, [&] {
            run("ip link set eth0 up && ip address add 192.168.1.12/24 dev eth0 && "
                "ip address add fd00:1::12/64 dev eth0 nodad");
        });
        run("ip link add v-net-0 type bridge && ip link set v-net-0 up && ip address add 10.244.1.1/24 dev "
            "v-net-0 "
            "&& ip address add fd00:10:244:1::1/64 dev v-net-0 nodad");
        run("ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 8468 && "
            "ip -6 route add fd00:10:244:2::/64 via fd00:1::12 proto 82 metric 8200");
        write_masquerade({"10.244.0.0/16"_net, "192.168.1.0/24"_net, "fd00::/16"_net});
    }

    static void write_masquerade(const std::vector<IpPrefix>& exempt)
    {
        NftMasqueradeTable table;
        table
            .write(
                {.pods = merged({"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net}), .exempt = merged(exempt)})
            .value();
    }
    // As the plugin leaves it.
    void add_pod(const std::string& address)
    {
        run("ip link add veth1 type veth peer name pod1 && ip link set veth1 master v-net-0 up alias c1/eth0 "
            "&& "
            "ip link set pod1 up && ip link property add dev veth1 altname pod-" +
            address + " && ip neighbour replace " + address +
            " dev v-net-0 lladdr 0a:58:0a:f4:01:02 nud permanent");
        reserve(address);
    }
    void reserve(const std::string& address) const
    {
        std::filesystem::create_directories(temporary.path / "ipam" / "routelet");
        std::ofstream(temporary.path / "ipam" / "routelet" / address) << "c1\r\neth0";
    }

    Explanation explanation_of(const std::string& asked) const
    {
        const std::vector<Subject> subjects = subjects_of(asked, agent);
        REQUIRE_FALSE(subjects.empty());
        return explain(subjects[0], agent, need(read_path(subjects[0], options)), options.identity);
    }
    std::vector<std::string> broken_at(const std::string& asked) const
    {
        const Explanation explanation = explanation_of(asked);
        std::vector<std::string> broken;
        for (const Look& look : explanation.looks) {
            UNSCOPED_INFO(to_string(look.outcome) << " " << look.what << ": " << look.detail);
            if (look.outcome == Look::Outcome::broken) {
                CHECK_FALSE(look.remedy.empty());
                broken.push_back(look.what);
            }
        }
        return broken;
    }
};

using Parts = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(ExplainingNode, "a way that works has nothing broken in it", "[kernel][explain]")
{
    add_pod("10.244.1.7");
    for (const std::string asked :
         {"10.244.2.7", "fd00:10:244:2::7", "node02", "192.168.1.12", "10.244.1.7", "10.244.1.1", "node01"}) {
        CAPTURE(asked);
        CHECK(broken_at(asked) == Parts{});
        CHECK_THAT(to_text(explanation_of(asked)),
                   has_text("Nothing is broken on this machine.") && !has_text("unknown"));
    }
    CHECK_THAT(to_text(explanation_of("10.244.2.7")),
               has_text("10.244.2.0/24 via 192.168.1.12 dev eth0 proto 82 metric 8468") &&
                   has_text("192.168.1.12 dev eth0 is ") && has_text("(REACHABLE)"));
    CHECK_THAT(to_text(explanation_of("10.244.1.7")), has_text("c1/eth0 behind veth1"));
}

TEST_CASE_METHOD(ExplainingNode, "a neighbour that does not answer is found, by either family",
                 "[kernel][explain]")
{
    REQUIRE(broken_at("10.244.2.7") == Parts{}); // so the kernel believes in it
    in_netns(node02, [&] { run("ip address flush dev eth0"); });

    CHECK(broken_at("10.244.2.7") == Parts{"neighbour"});
    CHECK(broken_at("fd00:10:244:2::7") == Parts{"neighbour"});
    CHECK(broken_at("192.168.1.99") == Parts{"neighbour"}); // whom nobody has asked for before
}

TEST_CASE_METHOD(ExplainingNode, "a route that is missing, or goes another way, is found",
                 "[kernel][explain]")
{
    run("ip route replace 10.244.2.0/24 via 192.168.1.13 proto 82 metric 8468");
    CHECK(broken_at("10.244.2.7") == Parts{"route", "way", "neighbour"});

    run("ip route del 10.244.2.0/24 proto 82 metric 8468");
    CHECK(broken_at("10.244.2.7") == Parts{"route", "way"});
    CHECK_THAT(to_text(explanation_of("10.244.2.7")), has_text("Network is unreachable"));

    agent.nodes[2].error = "Nexthop has invalid gateway: Network is unreachable";
    CHECK_THAT(to_text(explanation_of("10.244.2.7")), has_text("refused by the kernel: Nexthop has invalid"));
}

TEST_CASE_METHOD(ExplainingNode, "somebody else's route in front of ours is found", "[kernel][explain]")
{
    run("ip route add 10.244.2.0/25 via 192.168.1.12 dev eth0"); // the same way is as good
    CHECK(broken_at("10.244.2.7") == Parts{});

    add_uplink("other", {});
    run("ip route add 10.244.2.7/32 dev other");
    CHECK(broken_at("10.244.2.7") == Parts{"way", "neighbour"});
    CHECK_THAT(to_text(explanation_of("10.244.2.7")), has_text("10.244.2.7/32 dev other"));
    CHECK(broken_at("10.244.2.8") == Parts{});
}

TEST_CASE_METHOD(ExplainingNode, "a link without carrier is found", "[kernel][explain]")
{
    in_netns(node02, [&] { run("ip link set eth0 down"); });
    const Parts broken = broken_at("10.244.2.7");
    CHECK(std::ranges::find(broken, "link") != broken.end());
    CHECK_THAT(to_text(explanation_of("10.244.2.7")), has_text("eth0 has no carrier"));
}

TEST_CASE_METHOD(ExplainingNode, "a pod that is not there is told from one that is half there",
                 "[kernel][explain]")
{
    add_pod("10.244.1.7");
    CHECK(broken_at("10.244.1.8") == Parts{"pod", "neighbour"});
    CHECK_THAT(to_text(explanation_of("10.244.1.8")), has_text("no pod of this machine has 10.244.1.8"));

    reserve("10.244.1.8");
    CHECK_THAT(to_text(explanation_of("10.244.1.8")),
               has_text("10.244.1.8 is reserved for c1/eth0, which has no link here"));

    run("ip link set veth1 down");
    const Parts broken = broken_at("10.244.1.7");
    CHECK(std::ranges::find(broken, "pod") != broken.end());
    CHECK_THAT(to_text(explanation_of("10.244.1.7")), has_text("c1/eth0 behind veth1, which is down"));
}

TEST_CASE_METHOD(ExplainingNode, "a range of the cluster that no node has is told from the world outside",
                 "[kernel][explain]")
{
    run("ip route add unreachable 10.244.0.0/16 proto 82 metric 4294967295");
    CHECK(broken_at("10.244.9.9") == Parts{"node", "way"});

    run("ip route add default via 192.168.1.12");
    CHECK(broken_at("203.0.113.1") == Parts{});
    CHECK_THAT(to_text(explanation_of("203.0.113.1")), has_text("pods' packets get this node's address"));
}

TEST_CASE_METHOD(ExplainingNode, "forwarding that is off is found, by family", "[kernel][explain]")
{
    run("echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding");
    CHECK(broken_at("10.244.2.7") == Parts{"forwarding"});
    CHECK(broken_at("fd00:10:244:2::7") == Parts{});

    run("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
    CHECK(broken_at("fd00:10:244:2::7") == Parts{"forwarding"});
}

TEST_CASE_METHOD(ExplainingNode, "masquerade of what should keep its address is found", "[kernel][explain]")
{
    write_masquerade({"192.168.1.0/24"_net});
    CHECK(broken_at("10.244.2.7") == Parts{"masquerade"});
    CHECK(broken_at("192.168.1.12") == Parts{});

    run("nft delete table inet routelet");
    CHECK(broken_at("10.244.2.7") == Parts{});
    CHECK_THAT(to_text(explanation_of("10.244.2.7")), has_text("there is no nftables table inet routelet"));
}

TEST_CASE_METHOD(ExplainingNode, "without an agent an address is explained all the same, and a name is not",
                 "[kernel][explain]")
{
    const auto command = [&](const std::string& asked) {
        std::ostringstream out;
        std::ostringstream errors;
        const int status =
            show_explanation({.asked = asked, .health = {"127.0.0.1", 1}, .path = options}, out, errors);
        CHECK(status == 1);
        return out.str() + errors.str();
    };
    CHECK_THAT(command("10.244.2.7"), has_text("no agent answers here") && has_text("It breaks at: agent.") &&
                                          has_text("take 10.244.2.0/24 via 192.168.1.12"));
    CHECK_THAT(command("node02"),
               has_text("node02 is no address, and whether it is a node only the agent knows"));
}
