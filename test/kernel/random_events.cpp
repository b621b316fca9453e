// What happens to nodes, routes, links and the agent in a random run.
#include "test/kernel/random_run.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace routelet::test::random_run {
using namespace routelet::controller;
using netlink::IfIndex;
using netlink::Route;
using netlink::RouteProtocol;
using Manner = NetworkByHand::Manner;

namespace {

constexpr int most_nodes = 9;
constexpr int most_foreign_routes = 12;

struct Home {
    const char* link;
    std::vector<const char*> addresses;
};
// What the machine has when nothing is wrong.
const std::vector<Home> homes = {
    {"eth0", {"192.168.1.11/24", "fd00:1::11/64"}},
    {"eth1", {"192.168.2.11/24", "fd00:2::11/64"}},
    {"v-net-0", {"10.244.1.1/24", "fd00:10:244:1::1/64"}},
};

} // namespace

std::string RandomRun::take_a_step()
{
    const int kind = chance_.number(0, 99);
    if (kind < 35)
        return change_nodes();
    if (kind < 65)
        return disturb_routes(Where::anywhere);
    if (kind < 77)
        return disturb_links();
    if (kind < 90)
        return mend();
    return change_agent();
}

k8s::Node RandomRun::some_node(int number)
{
    const std::string n = std::to_string(number);
    const std::string host = std::to_string(chance_.one_in(6) ? 200 + number : 10 + number);
    const std::string lan = number % 4 == 3 ? "2" : "1";
    ++nodes_made_;
    k8s::Node node;
    node.name = "node0" + n;
    node.uid = "uid-" + std::to_string(nodes_made_);
    node.created = "2026-01-01T00:" + std::to_string(10 + nodes_made_ / 60 % 50) + ":" +
                   std::to_string(10 + nodes_made_ % 50) + "Z";
    const int stack = chance_.number(0, 5); // one in six each is of one family
    if (stack != 0) {
        node.pod_cidrs.push_back("10.244." + n + ".0/24");
        node.internal_ips.push_back("192.168." + lan + "." + host);
    }
    if (stack != 1) {
        node.pod_cidrs.push_back("fd00:10:244:" + n + "::/64");
        node.internal_ips.push_back("fd00:" + lan + "::" + host);
    }
    return node;
}

// Bends one thing, as a broken or hostile kubelet would.
std::string RandomRun::lie(k8s::Node& node)
{
    const std::string other = std::to_string(chance_.number(1, most_nodes));
    const auto put = [&](std::vector<std::string>& texts, const std::string& text) {
        if (texts.empty() || chance_.one_in(3))
            texts.insert(texts.begin(), text);
        else
            texts[static_cast<std::size_t>(chance_.number(0, static_cast<int>(texts.size()) - 1))] = text;
        return text;
    };
    switch (chance_.number(0, 11)) {
    case 0: // overlaps another, or is another's
        return put(node.pod_cidrs,
                   chance_.one_of<std::string>({"10.244." + other + ".0/24", "10.244." + other + ".0/25",
                                                "10.244." + other + ".128/25", "10.244.0.0/20",
                                                "10.244.0.0/16", "fd00:10:244:" + other + "::/64",
                                                "fd00:10:244:" + other + ":8000::/65", "fd00:10:244::/48"}));
    case 1: // where no pod can live
        return put(node.pod_cidrs, chance_.one_of<std::string>(
                                       {"127.0.0.0/24", "169.254.169.0/24", "224.0.0.0/24", "240.1.0.0/16",
                                        "0.0.0.0/8", "fe80::/64", "ff00::/64", "::ffff:10.0.0.0/104", "::/64",
                                        "0.0.0.0/1", "128.0.0.0/1", "::/1", "0.0.0.0/0"}));
    case 2: // too long, too short
        return put(node.pod_cidrs,
                   chance_.one_of<std::string>({"8.0.0.0/7", "10.244.9.9/32", "10.244.9.8/31", "fd00::/16",
                                                "fd00:10:244:9::1/128", "10.244.9.0/30"}));
    case 3: // the machine's networks and addresses
        return put(node.pod_cidrs, chance_.one_of<std::string>(
                                       {"192.168.1.0/24", "192.168.1.128/25", "192.168.0.0/16",
                                        "192.168.1.0/30", "fd00:1::/64", "fd00::/32", "192.168.2.0/25"}));
    case 4: // no podCIDR at all
        return put(node.pod_cidrs,
                   chance_.one_of<std::string>({"garbage", "10.244.4.7/24", "", "10.244.4.0", "10.244.4.0/33",
                                                "fd00::1/64", "10.244.04.0/24", std::string(5000, '7')}));
    case 5: // outside, or where services are
        return put(node.pod_cidrs,
                   chance_.one_of<std::string>({"10.245." + other + ".0/24", "172.16.0.0/24",
                                                "10.244.200.0/24", "fd00:20:" + other + "::/64"}));
    case 6: // somebody's address: ours, the gateway's, another node's, a pod's
        return put(
            node.internal_ips,
            chance_.one_of<std::string>({"192.168.1.11", "fd00:1::11", "192.168.1.1", "fd00:1::1",
                                         "192.168.1.1" + other, "fd00:1::1" + other, "10.244." + other + ".9",
                                         "fd00:10:244:" + other + "::9", "10.244.1.1"}));
    case 7: // nobody's
        return put(node.internal_ips,
                   chance_.one_of<std::string>({"172.16.0.1" + other, "fd00:99::" + other, "127.0.0.1", "::1",
                                                "224.0.0.5", "0.0.0.0", "fe80::5", "192.168.3.7",
                                                "::ffff:192.168.1.12"}));
    case 8:
        return put(node.internal_ips,
                   chance_.one_of<std::string>({"garbage", "192.168.1.012", "", "fd00::1%eth0", "1.2.3"}));
    case 9: // older than anybody, or of no age
        node.created = chance_.one_of<std::string>({"2020-01-01T00:00:00Z", ""});
        return "created \"" + node.created + "\"";
    case 10:
        (chance_.one_in(2) ? node.pod_cidrs : node.internal_ips).clear();
        return "nothing";
    default: // more than anybody reads
        for (int i = 0; i < 20; ++i) {
            node.pod_cidrs.push_back("10.246." + std::to_string(i * 9 + std::stoi(other)) + ".0/24");
            node.internal_ips.push_back("192.168.1." + std::to_string(100 + i));
        }
        return "a lot";
    }
}

void RandomRun::tell(const k8s::Node& node)
{
    const auto known = told_.find(node.name);
    const bool is_news = known == told_.end() || known->second != node;
    const bool mattered = keeper_->reconciler().upsert_node(node);
    if (mattered && !is_news)
        FAIL(story() << "a Node that has not changed is taken for news");
    is_due_ = mattered || is_due_;
    told_.insert_or_assign(node.name, node);
}

void RandomRun::tell_all(const std::map<std::string, k8s::Node>& nodes)
{
    std::vector<k8s::Node> shuffled;
    for (const auto& [name, node] : nodes)
        shuffled.push_back(node);
    chance_.shuffle(shuffled);
    Reconciler& reconciler = keeper_->reconciler();
    if (chance_.one_in(4)) { // a list that is interrupted
        reconciler.begin_nodes();
        for (const auto& node : shuffled)
            if (chance_.one_in(2))
                reconciler.list_node(node);
    }
    reconciler.begin_nodes();
    for (const auto& node : shuffled) {
        if (chance_.one_in(20))
            reconciler.list_node(some_node(std::stoi(node.name.substr(4)))); // the last of a name counts
        reconciler.list_node(node);
        if (chance_.one_in(20) && is_listed_)
            settle(); // the kernel does not wait for the end of a list
    }
    is_due_ = reconciler.end_nodes() || is_due_;
    told_ = nodes;
    is_listed_ = true;
}

std::string RandomRun::change_nodes()
{
    const int number = chance_.number(1, most_nodes);
    const std::string name = "node0" + std::to_string(number);
    const auto known = cluster_.find(name);
    if (!is_listed_)
        return tell_all(cluster_), "a first list";
    switch (chance_.number(0, 13)) {
    case 0:
    case 1:
    case 2: // a newcomer, or another Node under the old name
    case 3: {
        const k8s::Node node = some_node(number);
        cluster_.insert_or_assign(name, node);
        tell(node);
        return "put " + name + " " + node.uid;
    }
    case 4:
    case 5:
    case 6: {
        k8s::Node node = known == cluster_.end() ? some_node(number) : known->second;
        const std::string what = lie(node).substr(0, 60);
        cluster_.insert_or_assign(name, node);
        tell(node);
        return name + " says " + what;
    }
    case 7: { // the podCIDR or the address of a known node
        if (known == cluster_.end())
            return "nothing";
        k8s::Node& node = known->second;
        const std::string n = std::to_string(chance_.number(20, 40));
        if (chance_.one_in(2))
            node.pod_cidrs = {"10.244." + n + ".0/24", "fd00:10:244:" + n + "::/64"};
        else
            node.internal_ips = {"192.168.1." + n, "fd00:1::" + n};
        tell(node);
        return name + " changes to " + n;
    }
    case 8: // two nodes swap their ranges
    {
        const auto other = cluster_.find("node0" + std::to_string(chance_.number(1, most_nodes)));
        if (known == cluster_.end() || other == cluster_.end())
            return "nothing";
        std::swap(known->second.pod_cidrs, other->second.pod_cidrs);
        tell(known->second);
        tell(other->second);
        return name + " and " + other->first + " swap ranges";
    }
    case 9:
        if (known == cluster_.end())
            return "nothing";
        cluster_.erase(known);
        told_.erase(name);
        is_due_ = keeper_->reconciler().erase_node(name) || is_due_;
        return "erase " + name;
    case 10: // a heartbeat, and an object that is too large to be read
        if (const auto same = told_.find(name); same != told_.end()) {
            tell(k8s::Node(same->second));
            k8s::Node large{.name = name};
            large.is_oversized = true;
            if (keeper_->reconciler().upsert_node(large))
                FAIL(story() << "an oversized Node is news");
            return "heartbeat of " + name;
        }
        return "nothing";
    case 11: // a server that lies
        if (chance_.one_in(2)) {
            tell_all({});
            return "an empty list";
        } else {
            std::map<std::string, k8s::Node> some;
            for (const auto& entry : cluster_)
                if (chance_.one_in(2))
                    some.insert(entry);
            tell_all(some);
            return "a list of " + std::to_string(some.size()) + " of " + std::to_string(cluster_.size());
        }
    default:
        tell_all(cluster_);
        return "a list of all " + std::to_string(cluster_.size());
    }
}

IpAddress RandomRun::some_gateway(IpFamily family)
{
    const std::string host = std::to_string(chance_.one_of({11 + chance_.number(1, most_nodes), 66, 77}));
    const std::string lan = std::to_string(chance_.one_of({1, 1, 2}));
    return IpAddress::parse(family == IpFamily::v4 ? "192.168." + lan + "." + host
                                                   : "fd00:" + lan + "::" + host)
        .value();
}

IpPrefix RandomRun::some_destination()
{
    const std::string n = std::to_string(chance_.number(1, most_nodes));
    return IpPrefix::parse(chance_.one_of<std::string>({"10.244." + n + ".0/24", "fd00:10:244:" + n + "::/64",
                                                        "10.9." + n + ".0/24", "fd00:9:" + n + "::/64"}))
        .value();
}

// One of ours: mostly that of a route that is there, or would be.
std::uint32_t RandomRun::some_metric(const IpPrefix& destination)
{
    for (const Route& route : hand_.routes())
        if (route.destination == destination && ours.owns(route) && !chance_.one_in(4))
            return route.metric;
    return chance_.one_in(2) ? ours.metric_of(some_gateway(destination.family()))
                             : ours.metric + static_cast<std::uint32_t>(chance_.number(0, 65535));
}

// A route with our protocol and metric, of any shape.
Route RandomRun::some_route(const IpPrefix& destination)
{
    Route route;
    route.destination = destination;
    route.metric = some_metric(destination);
    route.protocol = ours.protocol;
    switch (chance_.number(0, 5)) {
    case 0:
        route.type = chance_.one_of<std::uint8_t>({RTN_BLACKHOLE, RTN_UNREACHABLE});
        break;
    case 1:
        route.oif = hand_.index_of("eth0");
        break;
    default:
        route.gateway = some_gateway(destination.family());
    }
    return route;
}

// `where` says whether also at destinations, protocol and metric of ours: somebody who writes there just
// before we replace our own route is overwritten, and the kernel offers nothing against that.
std::string RandomRun::disturb_routes(Where where)
{
    std::vector<Route> own;
    std::vector<Route> foreign;
    for (const Route& route : hand_.routes()) {
        if (ours.owns(route))
            own.push_back(route);
        else if (route.protocol != RouteProtocol{RTPROT_KERNEL} && route.destination.length() > 0)
            foreign.push_back(route);
    }
    std::ostringstream what;
    const auto said = [&](const char* verb, const Route& route) {
        what << verb << ' ' << route << " dev " << netlink::to_int(route.oif);
        return what.str();
    };
    if (static_cast<int>(foreign.size()) > most_foreign_routes) {
        const Route& route = chance_.one_of(foreign);
        hand_.delete_route(route);
        return said("delete foreign", route);
    }
    switch (chance_.number(0, where == Where::anywhere ? 13 : 4)) {
    case 0:
    case 1:
        if (own.empty())
            return "nothing";
        hand_.delete_route(own[0] = chance_.one_of(own));
        return said("delete", own[0]);
    case 2: {
        if (own.empty())
            return "nothing";
        const Route route = some_route(chance_.one_of(own).destination);
        hand_.set_route(Manner::replace, route);
        return said("replace by", route);
    }
    case 3: {
        Route route = some_route(some_destination());
        route.protocol = RouteProtocol{chance_.one_of<std::uint8_t>({RTPROT_STATIC, RTPROT_ZEBRA})};
        route.metric = chance_.one_of<std::uint32_t>({1, 100, 8199, 73736, 90000});
        hand_.set_route(Manner::add, route);
        return said("add foreign", route);
    }
    case 4:
        for (const Route& route : own)
            hand_.delete_route(route);
        return "flush all of ours";
    case 5: { // one too many
        const Route route = some_route(some_destination());
        hand_.set_route(Manner::add, route);
        return said("add", route);
    }
    case 6: // somebody else in our place, instead of ours or while it is free
    case 7: {
        Route route = some_route(own.empty() || chance_.one_in(4) ? some_destination()
                                                                  : chance_.one_of(own).destination);
        route.protocol = RouteProtocol{RTPROT_STATIC};
        const Manner manner = chance_.one_of({Manner::replace, Manner::add});
        hand_.set_route(manner, route);
        return said("foreign in our place:", route);
    }
    case 8: { // beside ours; IPv6 makes one route of both
        if (own.empty())
            return "nothing";
        Route route = some_route(chance_.one_of(own).destination);
        // Between two next hops of an IPv6 route its dumps do not show what lies there.
        while (route.destination.family() == IpFamily::v6 && !route.gateway)
            route = some_route(route.destination);
        if (chance_.one_in(2))
            route.protocol = RouteProtocol{RTPROT_STATIC};
        const Manner manner = chance_.one_of({Manner::append, Manner::prepend});
        hand_.set_route(manner, route);
        return said(manner == Manner::append ? "append" : "prepend", route);
    }
    case 9: {
        if (own.empty())
            return "nothing";
        Route route = some_route(chance_.one_of(own).destination);
        route.type = RTN_UNICAST;
        route.oif = hand_.index_of("eth0");
        hand_.set_multipath(
            route, {some_gateway(route.destination.family()), some_gateway(route.destination.family())});
        return said("multipath", route);
    }
    case 10:
    case 11:
        if (foreign.empty())
            return "nothing";
        hand_.delete_route(foreign[0] = chance_.one_of(foreign));
        return said("delete foreign", foreign[0]);
    case 12: { // a network of its own, more specific than the LAN
        Route route;
        route.destination = chance_.one_of(
            {"192.168.1.128/25"_net, "fd00:1:0:0:8000::/65"_net, "10.244.8.0/24"_net, "10.0.0.0/8"_net});
        route.protocol = RouteProtocol{RTPROT_STATIC};
        route.metric = chance_.one_of<std::uint32_t>({10, 20});
        route.oif = hand_.index_of(chance_.one_of({"eth0", "eth1"}));
        hand_.set_route(Manner::add, route);
        return said("add network", route);
    }
    default: { // default routes
        const bool v4 = chance_.one_in(2);
        Route route;
        route.destination = v4 ? "0.0.0.0/0"_net : "::/0"_net;
        route.protocol = RouteProtocol{RTPROT_STATIC};
        route.metric = chance_.one_of<std::uint32_t>({1024, 50});
        route.gateway = some_gateway(v4 ? IpFamily::v4 : IpFamily::v6);
        const auto routes = hand_.routes();
        const Route* known = find_route(routes, route.destination);
        if (known != nullptr && chance_.one_in(3)) {
            const Route gone = *known;
            hand_.delete_route(gone);
            return said("delete", gone);
        }
        hand_.set_route(Manner::replace, route);
        return said("replace", route);
    }
    }
}

std::string RandomRun::disturb_links()
{
    const Home& home = homes[static_cast<std::size_t>(chance_.one_of({0, 0, 0, 1, 1, 2}))];
    const std::string link = home.link;
    const std::string address = chance_.one_of(home.addresses);
    switch (chance_.number(0, 11)) {
    case 0:
        hand_.set_up(link, false);
        return link + " down";
    case 1:
        hand_.set_up(link, false);
        hand_.set_up(link, true);
        return link + " down and up";
    case 2:
        hand_.delete_link(link);
        return "delete " + link;
    case 3: {
        hand_.delete_link(link);
        if (link == pod_bridge)
            hand_.add_bridge(link);
        else
            hand_.add_link(link);
        for (const auto* each : home.addresses)
            hand_.add_address(link, each);
        return link + " anew, index " + std::to_string(netlink::to_int(hand_.index_of(link)));
    }
    case 4:
    case 5:
        hand_.delete_address(link, address);
        return "delete " + address;
    case 6:
        hand_.delete_address(link, address);
        hand_.add_address(link, address);
        return address + " anew";
    case 7:
        hand_.set_up(link + "-far", false);
        return link + " without carrier";
    case 8: { // a second address, also on the other LAN
        const std::string second = chance_.one_of<std::string>(
            {"192.168.1.111/24", "192.168.2.111/24", "192.168.9.11/24", "fd00:1::111/64", "fd00:9::11/64",
             "192.168.1.12/24", "fd00:1::12/64"});
        if (hand_.has_address(link, second))
            hand_.delete_address(link, second);
        else
            hand_.add_address(link, second);
        return second + " on or off " + link;
    }
    case 9: { // a pod comes and goes
        hand_.add_link("veth1");
        hand_.delete_link("veth1");
        return "a pod";
    }
    case 10:
        if (hand_.index_of("br9") != IfIndex{})
            hand_.rename("br9", pod_bridge);
        else
            hand_.rename(pod_bridge, "br9");
        return "the bridge under another name";
    default:
        for (const Route& route : hand_.routes())
            hand_.delete_route(route);
        return "flush the table";
    }
}

// All is as it was, whatever somebody did to it.
std::string RandomRun::mend()
{
    if (hand_.index_of("br9") != IfIndex{})
        hand_.delete_link("br9");
    for (const Home& home : homes) {
        const std::string link = home.link;
        if (hand_.index_of(link) == IfIndex{}) {
            if (link == pod_bridge)
                hand_.add_bridge(link);
            else
                hand_.add_link(link);
        }
        hand_.set_up(link + "-far", true);
        hand_.set_up(link, true);
        for (const std::string address : home.addresses) {
            const auto network = IpPrefix::of(IpAddress::parse(address.substr(0, address.find('/'))).value(),
                                              address.find(':') == std::string::npos ? 24 : 64);
            const auto routes = hand_.routes();
            const Route* connected = find_route(routes, network);
            if (connected == nullptr)
                hand_.delete_address(link, address);
            hand_.add_address(link, address);
        }
    }
    for (const bool v4 : {true, false}) {
        Route route;
        route.destination = v4 ? "0.0.0.0/0"_net : "::/0"_net;
        route.gateway = v4 ? "192.168.1.1"_ip : "fd00:1::1"_ip;
        route.metric = 1024;
        route.protocol = RouteProtocol{RTPROT_STATIC};
        hand_.set_route(Manner::replace, route);
    }
    return "mend";
}

std::string RandomRun::change_agent()
{
    switch (chance_.number(0, 6)) {
    case 0:
    case 1: {
        start_agent();
        const bool lists = chance_.one_in(2);
        if (lists)
            tell_all(cluster_);
        return lists ? "the agent is killed and started"
                     : "the agent is killed, and started without a server";
    }
    case 2:
        if (!character_.loses_notifications)
            return "nothing";
        set_receive_buffer(chance_.one_of({4096, 8192})); // a link alone takes 4 KiB
        return "a small receive buffer";
    case 3: { // more than any of the small buffers holds
        Route route;
        route.protocol = RouteProtocol{RTPROT_ZEBRA};
        route.metric = 50;
        route.oif = hand_.index_of("eth0");
        for (std::uint64_t i = 0; i < 60; ++i) {
            route.destination = IpPrefix::of("10.100.0.0"_ip.plus(i * 256), 24);
            hand_.set_route(Manner::add, route);
        }
        for (std::uint64_t i = 0; i < 60; ++i) {
            route.destination = IpPrefix::of("10.100.0.0"_ip.plus(i * 256), 24);
            hand_.delete_route(route);
        }
        return "a flood";
    }
    case 4:
        if (character_.grace > 1s || !brake_.holds() || !is_listed_)
            return "nothing";
        brake_.wait();
        is_due_ = true; // the agent's own timer
        return "wait for the brake";
    case 5:
        kernel_.is_troubled = character_.has_troubled_kernel && !kernel_.is_troubled;
        return kernel_.is_troubled ? "trouble begins" : "trouble ends";
    default:
        if (!is_listed_)
            return "nothing";
        keeper_->reconciler().distrust_mirror();
        is_due_ = true;
        return "a full check";
    }
}

} // namespace routelet::test::random_run
