// "spoofCheck": a pod can send from no address but its own.
#include "cni/bridge_repair.h"
#include "cni/error.h"
#include "cni/spoof_check.h"
#include "netlink/neighbor.h"
#include "test/kernel/cni_fixture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

using Bytes = std::vector<std::uint8_t>;
using netlink::MacAddress;

Bytes operator+(Bytes a, const Bytes& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Bytes bytes_of(const std::string& address)
{
    const auto bytes = need(IpAddress::parse(address));
    return {bytes.bytes().begin(), bytes.bytes().end()};
}

Bytes bytes_of(const MacAddress& mac)
{
    return {mac.bytes.begin(), mac.bytes.end()};
}

// Behind the Ethernet header, each with its own EtherType in front.
Bytes ipv4_from(const std::string& source)
{
    Bytes header =
        Bytes{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0} + bytes_of(source) + bytes_of("10.244.1.77");
    std::uint32_t sum = 0; // br_netfilter drops what has a wrong one
    for (std::size_t i = 0; i < header.size(); i += 2)
        sum += header[i] * 256U + header[i + 1];
    sum = 0xffffU - (sum % 0xffffU);
    header[10] = static_cast<std::uint8_t>(sum >> 8U);
    header[11] = static_cast<std::uint8_t>(sum);
    return Bytes{0x08, 0x00} + header;
}
Bytes arp_from(const std::string& sender)
{
    return Bytes{0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2} + Bytes{2, 0, 0, 0, 0, 1} + bytes_of(sender) +
           Bytes{2, 0, 0, 0, 0, 2} + bytes_of("10.244.1.77");
}
Bytes ipv6_from(const std::string& source, std::uint8_t next_header, const Bytes& payload)
{
    return Bytes{0x86, 0xdd, 0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(payload.size()), next_header, 255} +
           bytes_of(source) + bytes_of("ff02::1") + payload;
}
Bytes ipv6_from(const std::string& source)
{
    return ipv6_from(source, 253, {0, 0, 0, 0});
}
Bytes icmpv6_from(const std::string& source, std::uint8_t type, const std::string& target)
{
    return ipv6_from(source, 58, Bytes{type, 0, 0, 0, 0, 0, 0, 0} + bytes_of(target));
}

// Sees all that arrives at a pod's interface.
class Listener {
public:
    explicit Listener(const PodNetns& pod)
        : socket_(in_netns(pod.netns,
                           [] { return ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)); }))
    {
        REQUIRE(socket_);
    }

    // Whether a frame that ends like this comes, soon. Linux takes a first VLAN tag off before we see it.
    bool hears(const Bytes& content, std::chrono::milliseconds patience)
    {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        pollfd readable{socket_.fd(), POLLIN, 0};
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) != 1)
                return false;
            Bytes frame(2048);
            sockaddr_ll from{};
            socklen_t size = sizeof from;
            const auto length = ::recvfrom(socket_.fd(), frame.data(), frame.size(), 0,
                                           reinterpret_cast<sockaddr*>(&from), &size);
            if (length < 12 || from.sll_pkttype == PACKET_OUTGOING)
                continue;
            frame.resize(static_cast<std::size_t>(length));
            if (std::search(frame.begin() + 12, frame.end(), end_of(content), content.end()) != frame.end())
                return true;
        }
    }

private:
    static Bytes::const_iterator end_of(const Bytes& content)
    {
        return content.end() - std::min<std::ptrdiff_t>(std::ssize(content) - 2, 20);
    }

    UniqueFd socket_;
};

class SpoofCheckFixture : public CniFixture {
public:
    SpoofCheckFixture() { config["spoofCheck"] = true; }

    static constexpr MacAddress mac_number(std::uint8_t last) { return {{0x0a, 0x58, 10, 244, 1, last}}; }

    // As whoever has CAP_NET_RAW in a pod can.
    static void send(const PodNetns& pod, const MacAddress& source, const MacAddress& destination,
                     const Bytes& rest)
    {
        in_netns(pod.netns, [&] {
            const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
            REQUIRE(socket);
            sockaddr_ll to{};
            to.sll_family = AF_PACKET;
            netlink::Socket inside = need(netlink::Socket::open());
            to.sll_ifindex = netlink::to_int(need(netlink::find_link(inside, "eth0")).value().index);
            const Bytes frame = bytes_of(destination) + bytes_of(source) + rest;
            REQUIRE(::sendto(socket.fd(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                             sizeof to) == static_cast<ssize_t>(frame.size()));
        });
    }
    std::string elements(const std::string& set) const
    {
        return output("nft list set bridge routelet-spoof-check " + set);
    }
    static std::string host_name(const std::string& container)
    {
        return cni::host_interface_name({container, "eth0"});
    }
    std::string repair() { return need(cni::SpoofCheck().repair(socket())); }
};

} // namespace

TEST_CASE_METHOD(SpoofCheckFixture, "pods that are checked reach everybody from their own addresses",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one); // 10.244.1.2
    add("two", two);

    require_reaches(one, {"10.244.1.3", "fd00:1::3", "10.244.1.1", "fd00:1::1"});
    require_reaches(two, {"10.244.1.2", "fd00:1::2"});
    run("ping -q -c 1 -W 2 10.244.1.2 >/dev/null && ping -q -c 1 -W 2 fd00:1::3 >/dev/null");
    // Its link-local address takes the kernel two seconds to try out.
    run_in(one, "for i in 1 2 3 4 5; do ping -q -c 1 -W 1 fe80::858:aff:fef4:103%eth0 >/dev/null && exit; "
                "done; exit 1");
    // A neighbour is asked about by link-local addresses, too, after the first packets.
    run_in(one, "ip neighbour flush dev eth0; ping -q -c 1 -W 2 fd00:1::1 >/dev/null");
    run("ip neighbour flush dev v-net-0; ping -q -c 1 -W 2 fd00:1::2 >/dev/null");

    const netlink::Link port = link_of(host_name("one"));
    CHECK(port.group == cni::checked_port_group);
    CHECK(port.is_locked);
    CHECK(port.hairpin == true);
    CHECK(need(netlink::list_pinned_macs(socket())).size() == 2);
    CHECK(repair() == ""); // all is as it should be
}

TEST_CASE_METHOD(SpoofCheckFixture, "what a pod sends from somebody else's address arrives nowhere",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns checked = make_pod_netns(); // 10.244.1.2
    const PodNetns victim = make_pod_netns();  // 10.244.1.3
    const PodNetns free = make_pod_netns();    // 10.244.1.4, of before there was the setting
    add("checked", checked);
    add("victim", victim);
    config["spoofCheck"] = false;
    add("free", free);

    struct Case {
        const char* what;
        Bytes content; // behind the Ethernet addresses
        bool is_own;   // of the checked pod's
    };
    const Bytes inner = ipv4_from("10.244.1.3");
    const Case cases[] = {
        {"IPv4", ipv4_from("10.244.1.2"), true},
        {"IPv4 from another pod", ipv4_from("10.244.1.3"), false},
        {"IPv4 from the node", ipv4_from("10.244.1.1"), false},
        {"IPv4 from nowhere", ipv4_from("0.0.0.0"), false},
        {"ARP", arp_from("10.244.1.2"), true},
        {"ARP that asks whether an address is free", arp_from("0.0.0.0"), true},
        {"ARP for another pod", arp_from("10.244.1.3"), false},
        {"ARP for the gateway", arp_from("10.244.1.1"), false},
        {"IPv6", ipv6_from("fd00:1::2"), true},
        {"IPv6, link-local", ipv6_from("fe80::858:aff:fef4:102"), true},
        {"IPv6 from another pod", ipv6_from("fd00:1::3"), false},
        {"IPv6 from the gateway's link-local address", ipv6_from("fe80::858:aff:fef4:101"), false},
        {"IPv6 from nowhere", ipv6_from("::"), false},
        {"duplicate address detection", icmpv6_from("::", 135, "fd00:1::2"), true},
        {"a neighbour solicitation", icmpv6_from("fd00:1::2", 135, "fd00:1::3"), true},
        {"a neighbour advertisement", icmpv6_from("fd00:1::2", 136, "fd00:1::2"), true},
        {"a neighbour advertisement for the gateway", icmpv6_from("fd00:1::2", 136, "fd00:1::1"), false},
        {"the same from nowhere", icmpv6_from("::", 136, "fd00:1::1"), false},
        {"a router advertisement", icmpv6_from("fe80::858:aff:fef4:102", 134, "fd00:1::2"), false},
        {"a redirect", icmpv6_from("fe80::858:aff:fef4:102", 137, "fd00:1::2"), false},
        {"another pod's IPv4 in a VLAN", Bytes{0x81, 0x00, 0, 5} + inner, false},
        {"another pod's IPv4 behind priority tags", Bytes{0x81, 0x00, 0, 0} + Bytes{0x81, 0x00, 0, 0} + inner,
         false},
        {"another pod's IPv4 behind LLC and SNAP", Bytes{0, 28, 0xaa, 0xaa, 3, 0, 0, 0} + inner, false},
        {"what is none of these protocols", Bytes{0x88, 0xb5, 1, 2, 3, 4}, false},
    };
    Listener listener(victim);
    for (const Case& c : cases) {
        INFO(c.what);
        send(checked, mac_number(2), mac_number(3), c.content);
        CHECK(listener.hears(c.content, std::chrono::milliseconds(c.is_own ? 2000 : 100)) == c.is_own);
        send(free, mac_number(4), mac_number(3), c.content);
        CHECK(listener.hears(c.content, std::chrono::milliseconds(2000))); // else this would show nothing
    }
    CHECK_THAT(output("nft list chain bridge routelet-spoof-check refused"), !has_text("packets 0 "));
}

TEST_CASE_METHOD(SpoofCheckFixture, "a pod that takes another's MAC address gets none of its packets",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns checked = make_pod_netns();
    const PodNetns victim = make_pod_netns();
    const PodNetns free = make_pod_netns();
    add("checked", checked);
    add("victim", victim);
    config["spoofCheck"] = false;
    add("free", free);
    const Bytes own = ipv4_from("10.244.1.2");
    Listener listener(victim);

    send(checked, mac_number(3), mac_number(1), own);
    send(free, mac_number(3), mac_number(1),
         own); // that pod's port is not locked, but the victim's address is pinned
    run("ping -q -c 1 -W 2 10.244.1.3 >/dev/null");
    require_reaches(victim, {"10.244.1.1"});

    send(checked, {{2, 0, 0, 0, 0, 9}}, mac_number(3), own); // nor from one that nobody has
    CHECK_FALSE(listener.hears(own, std::chrono::milliseconds(100)));
    CHECK_THAT(output("bridge fdb show br v-net-0"), !has_text("02:00:00:00:00:09"));
}

TEST_CASE_METHOD(SpoofCheckFixture, "a MAC address that was asked for is the one that is checked",
                 "[kernel][cni][spoof-check]")
{
    config["runtimeConfig"]["mac"] = "02:11:22:33:44:55";
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
    CHECK_THAT(elements("addresses6"), has_text("fe80::11:22ff:fe33:4455"));

    run("ip link set " + host_name("pod") +
        " type bridge_slave locked off; bridge fdb del 02:11:22:33:44:55 dev " + host_name("pod") +
        " master");
    CHECK(repair() == "1 ports are not locked to their MAC address");
    CHECK(repair() == "");
    CHECK(link_of(host_name("pod")).is_locked);
    require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
}

TEST_CASE_METHOD(SpoofCheckFixture, "two pods cannot have one MAC address", "[kernel][cni][spoof-check]")
{
    config["runtimeConfig"]["mac"] = "02:11:22:33:44:55";
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    const CniReply reply = call("ADD", "two", two.path());
    CHECK(reply.exit_code == 1);
    CHECK_THAT(reply.document()["msg"].get<std::string>(), has_text("pod-fe80::11:22ff:fe33:4455"));
    CHECK(reservations() == std::set<std::string>{"10.244.1.2", "fd00:1::2"});
    CHECK(veths().size() == 1);
}

TEST_CASE_METHOD(SpoofCheckFixture, "CHECK finds what was taken away, and the agent's repair restores it",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns pod = make_pod_netns();
    config["prevResult"] = add("pod", pod);
    REQUIRE(call("CHECK", "pod", pod.path()).exit_code == 0);

    struct Case {
        const char* command;
        const char* message;
    };
    const std::string port = host_name("pod");
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"nft flush ruleset", "the table is missing"},
        {"nft delete table inet routelet-spoof-check", "the table is missing"},
        {"nft flush chain bridge routelet-spoof-check from-ipv4", "rule 1 of chain from-ipv4 is missing"},
        {"nft flush set bridge routelet-spoof-check addresses6",
         "set addresses6: 2 elements are missing, 0 are foreign"},
        {"nft add element bridge routelet-spoof-check addresses4 '{ \"" + port + "\" . 10.0.0.1 }'",
         "set addresses4: 0 elements are missing, 1 are foreign"},
        {"ip link set " + port + " type bridge_slave learning on",
         "1 ports are not locked to their MAC address"}};
    for (const auto& [command, found] : cases) {
        INFO(command);
        run(command);
        const CniReply reply = call("CHECK", "pod", pod.path());
        CHECK(reply.exit_code == 1);
        CHECK_THAT(reply.document()["msg"].get<std::string>(), has_text(found));
        CHECK(repair() == found);
        CHECK(call("CHECK", "pod", pod.path()).exit_code == 0);
        require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
    }
    run("ip link set " + port + " group default");
    CHECK_THAT(call("CHECK", "pod", pod.path()).document()["msg"].get<std::string>(),
               has_text("the pod was made without \"spoofCheck\""));
}

TEST_CASE_METHOD(SpoofCheckFixture, "an ADD after a flush protects the pods of before, too",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    run("nft flush ruleset");
    add("two", two);
    CHECK(repair() == "");
    CHECK_THAT(elements("addresses4"), has_text("10.244.1.2") && has_text("10.244.1.3"));
}

TEST_CASE_METHOD(SpoofCheckFixture, "a pod that went leaves elements, which harm nobody until they are swept",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    del("one", one.path());
    CHECK_THAT(elements("addresses4"), has_text("10.244.1.2"));
    CHECK(need(cni::SpoofCheck().difference(socket())) == ""); // nothing to be told
    CHECK(repair() == "");
    CHECK_THAT(elements("addresses4"), !has_text("10.244.1.2") && has_text("10.244.1.3"));

    // Who comes back by the same name may send from the new address only.
    config["ipam"]["cooldown"] = 0;
    del("two", two.path());
    config["runtimeConfig"]["ips"] = {"10.244.1.50"};
    add("two", two);
    require_reaches(two, {"10.244.1.1", "fd00:1::1"});
    (void)repair();
    CHECK_THAT(elements("addresses4"), !has_text("10.244.1.3") && has_text("10.244.1.50"));
    CHECK(repair() == "");
}

TEST_CASE_METHOD(SpoofCheckFixture,
                 "many pods that come at once, while somebody flushes, are all let through",
                 "[kernel][cni][spoof-check]")
{
    std::vector<PodNetns> pods;
    std::vector<CniCall> calls;
    for (int i = 0; i < 20; ++i)
        pods.push_back(make_pod_netns());
    for (std::size_t i = 0; i < pods.size(); ++i) {
        calls.push_back(start("ADD", "pod" + std::to_string(i), pods[i].path()));
        if (i % 5 == 4) {
            run("nft flush ruleset");
            (void)cni::SpoofCheck().repair(socket()); // meanwhile somebody is, maybe; the agent comes again
        }
    }
    for (CniCall& one : calls) {
        const CniReply reply = one.wait();
        INFO(reply.output);
        CHECK(reply.exit_code == 0);
    }
    (void)repair(); // what was flushed behind the last ADD
    CHECK(repair() == "");
    for (const PodNetns& pod : pods)
        require_reaches(pod, {"10.244.1.1"});
}

TEST_CASE_METHOD(SpoofCheckFixture, "an ADD waits while others change rules all the time, the agent does not",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns pod = make_pod_netns();
    std::string repaired;
    CniReply reply;
    {
        std::atomic<bool> has_changed = false;
        // Several, so that on a busy machine, too, a reading is rarely over before the next change.
        const auto change = [&](const std::stop_token& stop, const std::string& table) {
            netlink::Socket netfilter =
                need(netlink::Socket::open_netfilter()); // in the same network namespace
            const auto requests = netlink::replace_table({.name = table, .chains = {}});
            for (; !stop.stop_requested(); has_changed = true)
                (void)netfilter.execute_atomically(requests);
        };
        std::vector<std::jthread> changes;
        for (const char* table : {"busy1", "busy2", "busy3", "busy4"})
            changes.emplace_back(change, table);
        while (!has_changed)
            std::this_thread::yield();
        CniCall call = start("ADD", "pod", pod.path());
        // Only what meets a change is put off, which one call of many does; an ADD waits for ten seconds.
        using Clock = std::chrono::steady_clock;
        const auto began = Clock::now();
        const auto lasted = [&] { return Clock::now() - began; };
        while (lasted() < std::chrono::milliseconds(500) ||
               (repaired.empty() && lasted() < std::chrono::seconds(8))) {
            const auto difference = cni::SpoofCheck().repair(socket());
            if (!difference && cni::has_code(difference.error(), cni::ErrorCode::try_again_later))
                repaired = difference.error().text();
        }
        changes.clear(); // stops them
        reply = call.wait();
    }
    CHECK_THAT(repaired, has_text("somebody changes nftables' rules all the time"));
    INFO(reply.output);
    CHECK(reply.exit_code == 0);
    require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
}

TEST_CASE_METHOD(SpoofCheckFixture, "a pod that gets its bridge back is checked as before",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    run("ip link delete v-net-0");
    CHECK(repair() == ""); // its elements stay

    const auto parsed = need(cni::parse_config(config.dump(), cni::Verb::add, {}));
    CHECK(need(cni::repair_bridge(socket(), *parsed.pod, state())) == 1);
    CHECK(link_of(host_name("pod")).is_locked);
    CHECK(repair() == "");
    require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
}

TEST_CASE_METHOD(SpoofCheckFixture, "where the node routes, it takes from a pod what it would send there",
                 "[kernel][cni][spoof-check]")
{
    config["mode"] = "ptp";
    const PodNetns checked = make_pod_netns();
    const PodNetns victim = make_pod_netns();
    const PodNetns free = make_pod_netns();
    add("checked", checked);
    config["prevResult"] = add("victim", victim);
    CHECK(call("CHECK", "victim", victim.path()).exit_code == 0);
    config.erase("prevResult");
    config["spoofCheck"] = false;
    add("free", free);
    require_reaches(checked, {"10.244.1.1", "fd00:1::1", "10.244.1.3", "fd00:1::3"});
    run("ping -q -c 1 -W 2 10.244.1.2 >/dev/null && ping -q -c 1 -W 2 fd00:1::2 >/dev/null");
    CHECK(link_of(host_name("checked")).group == cni::checked_route_group);
    CHECK(repair() == "");

    // Echo requests, whose answers go to whoever has the address.
    Listener listener(victim);
    const auto spoofs = [&](const PodNetns& pod) {
        run_in(pod, "ip address add 10.244.1.99/32 dev eth0; ping -q -c 1 -W 1 -I 10.244.1.99 10.244.1.3 "
                    ">/dev/null; true");
        const bool ipv4 = listener.hears(Bytes{0, 0} + bytes_of("10.244.1.99") + bytes_of("10.244.1.3"),
                                         std::chrono::milliseconds(100));
        run_in(pod, "ip address add fd00:1::99/128 dev eth0 nodad; ping -q -c 1 -W 1 -I fd00:1::99 fd00:1::3 "
                    ">/dev/null; true");
        const bool ipv6 = listener.hears(Bytes{0, 0} + bytes_of("fd00:1::99") + bytes_of("fd00:1::3"),
                                         std::chrono::milliseconds(100));
        return std::pair{ipv4, ipv6};
    };
    CHECK(spoofs(checked) == std::pair{false, false});
    CHECK(spoofs(free) == std::pair{true, true});
}

TEST_CASE_METHOD(SpoofCheckFixture, "without the setting nothing of it is there",
                 "[kernel][cni][spoof-check]")
{
    config["spoofCheck"] = false;
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    CHECK(link_of(host_name("pod")).group == 0);
    CHECK_FALSE(link_of(host_name("pod")).is_locked);
    CHECK(repair() == "");
    CHECK(output("nft list tables").empty());
    config["macspoofchk"] = true;
    CHECK_THAT(call("ADD", "other", pod.path()).document()["msg"].get<std::string>(),
               has_text("\"spoofCheck\""));
}
