// What `script/bench routes` measures of Routelet's own code: the same routes as the plain sender's, through
// the netlink library alone, or through all of the engine, which is told of as many nodes.
//
//   routelet-bench-engine batch   OPTIONS     prints the routes for `ip -batch`
//   routelet-bench-engine netlink OPTIONS
//   routelet-bench-engine engine  OPTIONS
//
// Prints one line of JSON:
//   {"what":"programmed","routes":..,"ms":..,"cpu_ms":..,"table_ms":..,"heap":..,"rss_kb":..,"peak_rss_kb":..}
// ms: netlink, from before the first request is made to the last answer; engine, from the end of the list of
// nodes to its last route, log lines included, which go to standard error as the agent's. table_ms: the list
// itself, node by node. Heap and rss are what is held afterwards: nodes, plan, and the mirror of the kernel.
// Exit status: 0 only when the kernel has taken all routes.
#include "controller/reconciler.h"
#include "test/bench/numbered_route.h"
#include "test/bench/usage.h"

#include <CLI/CLI.hpp>

#include <malloc.h>
#include <net/if.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace routelet;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
    std::uint32_t routes = 0;
    bool ipv6 = false;
    std::string link = "eth0";
    bool quiet = false;

    int family() const noexcept { return ipv6 ? AF_INET6 : AF_INET; }
};

struct Programmed {
    Milliseconds took{};
    double cpu_ms = 0;
    Milliseconds table{};
    std::size_t heap = 0; // bytes
};

IpAddress address(const bench::AddressBytes& bytes, int family)
{
    return IpAddress::from_bytes(std::span(bytes).first(bench::address_size(family))).value();
}

netlink::Route numbered_route(std::uint32_t number, const Options& options, netlink::IfIndex link = {})
{
    const bench::NumberedRoute numbered = bench::numbered_route(options.family(), number);
    return {.destination = IpPrefix::of(address(numbered.destination, options.family()),
                                        bench::prefix_length(options.family())),
            .gateway = address(numbered.gateway, options.family()),
            .oif = link,
            .metric = numbered.metric,
            .protocol = netlink::RouteProtocol{bench::route_protocol}};
}

// As a decoder leaves it.
k8s::Node numbered_node(std::uint32_t number, const Options& options)
{
    const netlink::Route route = numbered_route(number, options);
    char name[64];
    char uid[64];
    std::snprintf(name, sizeof name, "node-%06u.example.internal", number);
    std::snprintf(uid, sizeof uid, "5eed0000-0000-4000-8000-%012x", number);
    return {.name = name,
            .uid = uid,
            .created = "2026-01-02T03:04:05Z",
            .pod_cidrs = {route.destination.to_string()},
            .internal_ips = {route.gateway->to_string()}};
}

// Allocated and not freed, in arenas and in mappings of their own.
std::size_t heap_in_use()
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void print_batch(const Options& options)
{
    for (std::uint32_t i = 0; i < options.routes; ++i) {
        const netlink::Route route = numbered_route(i, options);
        std::cout << "route add " << route.destination << " via " << *route.gateway << " dev " << options.link
                  << " proto " << unsigned{bench::route_protocol} << " metric " << route.metric << '\n';
    }
}

netlink::IfIndex link_index(const std::string& name)
{
    const unsigned index = if_nametoindex(name.c_str());
    if (index == 0)
        throw std::runtime_error(last_errno(name).text());
    return netlink::IfIndex{static_cast<int>(index)};
}

Programmed run_netlink(const Options& options)
{
    const netlink::IfIndex link = link_index(options.link);
    std::vector<netlink::Route> routes;
    for (std::uint32_t i = 0; i < options.routes; ++i)
        routes.push_back(numbered_route(i, options, link));
    netlink::Socket socket = netlink::Socket::open().value();

    const auto started = Clock::now();
    const double cpu_before = bench::cpu_ms();
    std::vector<netlink::Request> requests;
    requests.reserve(routes.size());
    for (const netlink::Route& route : routes)
        requests.push_back(netlink::create_route(route));
    const std::vector<Result<>> results = socket.execute_all(requests);
    const Programmed programmed{.took = Clock::now() - started, .cpu_ms = bench::cpu_ms() - cpu_before};
    for (const Result<>& result : results)
        result.value();
    return programmed;
}

Programmed run_engine(const Options& options)
{
    auto kernel = controller::NetlinkKernel::open().value();
    const controller::Log log(controller::LogFormat::text, options.quiet ? LogLevel::warn : LogLevel::info);
    controller::Reconciler reconciler(kernel, log, {}); // of a router: every node has a route
    const std::size_t heap_before = heap_in_use();

    const auto listing = Clock::now();
    reconciler.begin_nodes();
    for (std::uint32_t i = 0; i < options.routes; ++i)
        reconciler.list_node(numbered_node(i, options));
    const auto started = Clock::now();
    const double cpu_before = bench::cpu_ms();
    reconciler.end_nodes();
    bool done = false;
    do // a batch at a time, as the agent
        done = reconciler.reconcile({"start", started});
    while (reconciler.has_more());
    const Programmed programmed{.took = Clock::now() - started,
                                .cpu_ms = bench::cpu_ms() - cpu_before,
                                .table = started - listing,
                                .heap = heap_in_use() - heap_before};
    if (!done || reconciler.routes_in_place() != options.routes)
        throw std::runtime_error("not all routes are in the kernel");
    return programmed;
}

void print(const Programmed& programmed, const Options& options)
{
    std::printf("{\"what\":\"programmed\",\"routes\":%u,\"ms\":%.3f,\"cpu_ms\":%.3f,\"table_ms\":%.3f,"
                "\"heap\":%zu,\"rss_kb\":%ld,\"peak_rss_kb\":%ld}\n",
                options.routes, programmed.took.count(), programmed.cpu_ms, programmed.table.count(),
                programmed.heap, bench::status_kb("VmRSS:"), bench::status_kb("VmHWM:"));
}

} // namespace

int main(int argc, char** argv)
try {
    Options options;
    CLI::App app("Numbered routes into this network namespace's main table, for script/bench");
    app.require_subcommand(1);
    const auto add = [&](const char* name, const char* text) {
        CLI::App* const command = app.add_subcommand(name, text);
        command->add_option("--routes", options.routes, "how many")
            ->required()
            ->check(CLI::Range(1U, bench::most_routes));
        command->add_flag("--ipv6", options.ipv6, "IPv6 instead of IPv4");
        command->add_option("--link", options.link, "that they leave by")->capture_default_str();
        return command;
    };
    const CLI::App* const batch = add("batch", "print them for ip -batch");
    const CLI::App* const netlink = add("netlink", "through the netlink library");
    CLI::App* const engine = add("engine", "through the engine, as a list of nodes");
    engine->add_flag("--quiet", options.quiet, "without a log line for each route");
    CLI11_PARSE(app, argc, argv);

    if (batch->parsed())
        print_batch(options);
    else
        print(netlink->parsed() ? run_netlink(options) : run_engine(options), options);
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-engine: " << error.what() << '\n';
    return 1;
}
