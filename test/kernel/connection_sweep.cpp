// The agent has the kernel forget the connections of pods that are gone.
#include "controller/connection_sweep.h"

#include "netlink/conntrack.h"
#include "test/kernel/cni_fixture.h"
#include "test/support/log_lines.h"
#include "test/support/socket_address.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

class ConnectionSweepFixture : public CniFixture, public LogLines {
public:
    boost::asio::io_context io;
    ConnectionSweep sweep{io, {.folder = state(), .interval = 1s}, log};
    netlink::Socket netfilter = need(netlink::Socket::open_netfilter());

    ConnectionSweepFixture() : LogLines(LogLevel::debug)
    {
        // A rule that looks at connections has the kernel track them.
        run("nft add table inet filter && nft add chain inet filter input '{ type filter hook input priority "
            "0; }' "
            "&& nft add rule inet filter input ct state invalid drop");
        boost::asio::co_spawn(io, sweep.run(), boost::asio::detached);
    }

    std::size_t connections_of(const std::string& address)
    {
        const IpAddress wanted = need(IpAddress::parse(address));
        return need(netlink::list_connections(netfilter, {},
                                              [&](const netlink::Connection& connection) {
                                                  return connection.original.source == wanted ||
                                                         connection.reply.source == wanted;
                                              }))
            .size();
    }
    void send_to(const IpAddress& address, const PodNetns& pod) const
    {
        in_netns(pod.netns, [&] {
            const UniqueFd socket(::socket(address.af(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
            SocketAddress there(address, 53);
            REQUIRE(::sendto(socket.fd(), "x", 1, 0, there.raw(), there.size) == 1);
        });
    }
    void send_to_gateways(const PodNetns& pod) const
    {
        send_to("10.244.1.1"_ip, pod);
        send_to("fd00:1::1"_ip, pod);
    }
    void work_until(const std::function<bool()>& is_so)
    {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (!is_so()) {
            REQUIRE(std::chrono::steady_clock::now() < deadline);
            io.run_for(10ms);
        }
    }
};

} // namespace

TEST_CASE_METHOD(ConnectionSweepFixture, "a pod's connections are forgotten once it is gone, others' are not",
                 "[kernel][cni]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    send_to_gateways(one);
    send_to_gateways(two);
    io.run_for(100ms);
    REQUIRE(connections_of("10.244.1.2") == 1);
    REQUIRE(connections_of("fd00:1::2") >= 1);

    del("one", one.path());
    work_until([&] { return connections_of("10.244.1.2") + connections_of("fd00:1::2") == 0; });
    CHECK(connections_of("10.244.1.3") == 1);
    CHECK(connections_of("fd00:1::3") >= 1);
    work_until([&] { return !lines.empty(); });
    CHECK_THAT(lines[0], has_text("level=debug event=connections-forgotten connections="));
}

TEST_CASE_METHOD(ConnectionSweepFixture, "an address that a new pod has by then keeps its connections",
                 "[kernel][cni]")
{
    config["ipam"]["cooldown"] = 0;
    // One address, which is used again at once.
    config["ipam"]["ranges"] = nlohmann::json::parse(R"([[{"subnet": "10.244.1.0/30"}]])");
    // again at once
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    send_to("10.244.1.1"_ip, one);
    del("one", one.path());
    add("two", two);
    send_to("10.244.1.1"_ip, two);
    const std::size_t before = connections_of("10.244.1.2");
    REQUIRE(before > 0);
    io.run_for(1500ms);
    CHECK(connections_of("10.244.1.2") == before);
    CHECK(lines.empty());
}

TEST_CASE_METHOD(ConnectionSweepFixture, "where nothing was freed, nothing is looked for", "[kernel][cni]")
{
    io.run_for(1200ms);
    CHECK(lines.empty());
}
