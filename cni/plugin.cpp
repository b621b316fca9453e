#include "cni/plugin.h"

#include "base/join.h"
#include "cni/attachment.h"
#include "cni/check.h"
#include "cni/config.h"
#include "cni/error.h"
#include "cni/host_ports.h"
#include "cni/imported_ports.h"
#include "cni/ipam.h"
#include "cni/living.h"
#include "cni/loopback.h"
#include "cni/spoof_check.h"
#include "cni/status.h"

#include <algorithm>
#include <exception>

namespace routelet::cni {
namespace {

// A runtime may collect garbage while an ADD of another runs; what is so young is not stale (seconds).
constexpr std::chrono::seconds garbage_age{60};

AttachmentResult describe(const Environment& call, const PodNetwork& network, const Attached& attached,
                          const std::vector<PodAddress>& addresses)
{
    const auto mac_text = [](const netlink::Link& link) { return link.mac ? link.mac->to_string() : ""; };
    AttachmentResult result;
    if (attached.bridge)
        result.interfaces.push_back(
            {attached.bridge->name, mac_text(*attached.bridge), "", attached.bridge->mtu});
    result.interfaces.push_back({attached.host.name, mac_text(attached.host), "", attached.host.mtu});
    result.interfaces.push_back(
        {call.id.interface, attached.pod_mac.to_string(), call.netns, attached.host.mtu});
    for (const PodAddress& pod : addresses)
        result.addresses.push_back({pod.address, pod.length, pod.gateway, result.interfaces.size() - 1});
    result.routes = attached.routes;
    result.dns = network.dns;
    return result;
}

HostPorts host_ports(const Network& network)
{
    return HostPorts(network.host_port_dir, report_to(network.log));
}

// The ports that the pod asks for, as its addresses have them.
HostPortRecord host_port_record(const Environment& call, const Config& config,
                                const std::vector<IpAddress>& addresses)
{
    const PodNetwork& network = *config.pod;
    return {.id = call.id,
            .network = config.network.name,
            .pod = call.args.pod,
            .link = network.mode == Mode::bridge ? network.bridge : host_interface_name(call.id),
            .ports = host_ports_of(network.port_mappings, addresses)};
}

// The link first: an address is free only once nothing uses it, and nothing leads to it.
Result<> take_back(netlink::Socket& host, const AttachmentId& id, const Network& network)
{
    if (auto released = host_ports(network).release(host, id); !released)
        return released;
    return AddressStore::of(network).release(id);
}

void roll_back(Sides& sides, const AttachmentId& id, const Network& network)
{
    // What failed may have been the way back from the pod's namespace.
    if (sides.host_netns.enter() && detach(sides.host, id))
        (void)take_back(sides.host, id, network); // the failure that led here is the one to tell
}

Result<std::string> add(const Environment& call, const Config& config)
{
    const PodNetwork& network = *config.pod;
    Result<Sides> sides = Sides::open(call.netns);
    if (!sides)
        return sides.error();
    if (auto cleared = clear_unfinished(*sides, call.id); !cleared)
        return cleared.error();
    const Result<std::optional<netlink::Link>> bridge = ensure_network(sides->host, network);
    if (!bridge)
        return bridge.error();

    const netlink::IfIndex bridge_index = *bridge ? (*bridge)->index : netlink::IfIndex{};
    const AddressStore store = AddressStore::of(config.network);
    const auto addresses = store.reserve(call.id, network.range_sets,
                                         {.wanted = network.wanted_addresses,
                                          .cooldown = network.cooldown,
                                          .living = living_on(sides->host, bridge_index)});
    if (!addresses)
        return addresses.error();
    // Before the attachment is complete, so that whoever finds it complete knows that its ports are open.
    HostPorts ports = host_ports(config.network);
    const HostPortRecord record = host_port_record(call, config, addresses_of(*addresses));
    if (auto claimed = ports.claim(sides->host, record); !claimed) {
        roll_back(*sides, call.id, config.network);
        return claimed.error();
    }
    const Result<Attached> attached = attach(*sides, call.id, network, *bridge, *addresses);
    if (!attached) {
        roll_back(*sides, call.id, config.network);
        return attached.error();
    }
    ports.admit_loopback(sides->host, record);
    const AttachmentResult ours = describe(call, network, *attached, *addresses);
    return render_result(network.previous ? append_result(*network.previous, ours) : ours,
                         config.network.version);
}

Result<> del(const Environment& call, const Config& config)
{
    Result<netlink::Socket> host = netlink::Socket::open();
    if (!host)
        return host.error();
    // First, because nobody knows in which namespace a look into the pod's may leave us.
    HostPorts ports = host_ports(config.network);
    if (auto released = ports.release(*host, call.id); !released)
        return released;
    ports.end_without_waiting();
    const Result<bool> is_of_before = AddressStore::of(config.network).has_imported(call.id);
    if (!is_of_before)
        return is_of_before.error();
    if (*is_of_before)
        if (auto removed = remove_imported_ports(call.id, config.network, call.plugins); !removed)
            return removed;
    Result<> detached = detach(*host, call.id); // as a rule the pod's end goes with it, and nothing is left
    if (!call.netns.empty())
        if (auto deleted = delete_pod_interface(call.netns, call.id); !deleted)
            return deleted;
    if (!detached)
        detached = detach(*host, call.id);
    if (!detached)
        return detached;
    return AddressStore::of(config.network).release(call.id);
}

Result<> check_spoof_check(netlink::Socket& host, const PodNetwork& network)
{
    if (!network.spoof_check)
        return {};
    const Result<std::string> difference = SpoofCheck().difference(host);
    if (!difference)
        return difference.error();
    if (!difference->empty())
        return failure(ErrorCode::attachment_differs,
                       "what keeps this node's pods from sending from other addresses "
                       "is not as it should be: " +
                           *difference + "; the agent repairs it (routelet run --spoof-check)");
    return {};
}

Result<> check_host_ports(const Environment& call, const Config& config,
                          const std::vector<IpAddress>& addresses)
{
    if (config.pod->port_mappings.empty())
        return {};
    const HostPortRecord record = host_port_record(call, config, addresses);
    const Result<std::string> difference =
        record.ports.empty() ? std::string{} : host_ports(config.network).difference(record);
    if (!difference)
        return difference.error();
    if (!difference->empty())
        return failure(
            ErrorCode::attachment_differs,
            "the ports of the node that lead to this pod are not as they should be: " + *difference +
                "; the agent repairs the kernel's table (routelet run --host-ports), else delete "
                "the pod");
    return {};
}

Result<> check(const Environment& call, const Config& config)
{
    if (!config.pod->previous)
        return failure(ErrorCode::invalid_config, "\"prevResult\" is missing; CHECK compares with it");
    Result<Sides> sides = Sides::open(call.netns);
    if (!sides)
        return sides.error();
    const Result<std::vector<IpAddress>> reserved = AddressStore::of(config.network).reserved(call.id);
    if (!reserved)
        return reserved.error();
    if (auto checked = check_attachment(*sides, {call.id, call.netns, *config.pod, *reserved}); !checked)
        return checked;
    if (auto checked = check_spoof_check(sides->host, *config.pod); !checked)
        return checked;
    return check_host_ports(call, config, *reserved);
}

Result<> remove_stale(netlink::Socket& host, const AttachmentId& id, const Network& network)
{
    // Reservations of old host-local name no interface, so there is no link to derive from them.
    if (!id.interface.empty())
        if (auto detached = detach(host, id); !detached)
            return detached;
    return take_back(host, id, network);
}

// Whoever has something of this network: addresses, or ports of the node.
Result<std::set<AttachmentId>> known_attachments(const Network& network)
{
    Result<std::set<AttachmentId>> known = AddressStore::of(network).attachments(garbage_age);
    if (!known)
        return known;
    const auto with_ports = host_ports(network).attachments(network.name, garbage_age);
    if (!with_ports)
        return with_ports.error();
    known->insert(with_ports->begin(), with_ports->end());
    return known;
}

// Goes on after a failure; all are told together.
Result<> gc(const Config& config)
{
    if (!config.valid_attachments)
        return {};
    const std::vector<AttachmentId>& valid = *config.valid_attachments;
    const Result<std::set<AttachmentId>> known = known_attachments(config.network);
    if (!known)
        return known.error();
    Result<netlink::Socket> host = netlink::Socket::open();
    if (!host)
        return host.error();

    std::string problems;
    for (const AttachmentId& id : *known) {
        const bool is_valid = std::ranges::any_of(valid, [&id](const AttachmentId& other) {
            return other.container == id.container &&
                   (id.interface.empty() || other.interface == id.interface);
        });
        if (is_valid)
            continue;
        if (auto removed = remove_stale(*host, id, config.network); !removed)
            append_item(problems, host_interface_alias(id) + ": " + removed.error().text(), "; ");
    }
    if (!problems.empty())
        return failure(ErrorCode::system_failure, "could not remove stale attachments: " + problems);
    return {};
}

// Nothing to print on success but for ADD.
Result<std::string> silent(const Result<>& result)
{
    if (!result)
        return result.error();
    return std::string{};
}

Result<std::string> dispatch(const Environment& call, const Result<std::string>& input)
{
    if (!input)
        return input.error();
    const Result<Config> config = parse_config(*input, call.verb, call.args);
    if (!config)
        return config.error();
    switch (call.verb) {
    case Verb::add:
        return add(call, *config);
    case Verb::del:
        return silent(del(call, *config));
    case Verb::check:
        return silent(check(call, *config));
    case Verb::gc:
        return silent(gc(*config));
    case Verb::status:
        return silent(check_status(*config));
    case Verb::version:
        break; // answered before: it needs no configuration
    }
    return std::string{};
}

// Its configuration has nothing beside what every verb needs, which is what DEL reads.
Result<std::string> dispatch_loopback(const Environment& call, const Result<std::string>& input)
{
    if (!input)
        return input.error();
    const Result<Config> config = parse_config(*input, Verb::del, call.args);
    if (!config)
        return config.error();
    return run_loopback(call, *config, *input);
}

// It sets up lo, whatever the runtime calls the interface; no attachment of ours can have that name.
Variables with_interface_of_any_name(const Variables& variable)
{
    return [&variable](const char* name) {
        std::string value = variable(name);
        return std::string_view(name) == "CNI_IFNAME" && value == "lo" ? "eth0" : value;
    };
}

// containerd takes a DEL error with these words for success, and the attachment would leak (go-cni, Remove).
Error without_swallowed_words(Error error)
{
    for (const std::string_view words : {"not found", "no such file or directory"})
        for (std::size_t at = 0; (at = error.context.find(words)) != std::string::npos;)
            error.context.replace(at, words.size(), "missing");
    return error;
}

Outcome failed(const Error& error, const Result<std::string>& input)
{
    const std::string version = input ? asked_version(*input) : std::string{};
    return {render_error(error, version.empty() ? to_string(supported_versions.back()) : version), 1,
            error.text()};
}

Outcome run_unguarded(Plugin plugin, const Variables& variable, const Result<std::string>& input)
{
    const bool is_loopback = plugin == Plugin::loopback;
    const Result<Environment> call =
        read_environment(is_loopback ? with_interface_of_any_name(variable) : variable);
    if (!call)
        return failed(call.error(), input);
    if (call->verb == Verb::version)
        return {render_versions(input ? asked_version(*input) : ""), 0, ""};
    const Result<std::string> output = is_loopback ? dispatch_loopback(*call, input) : dispatch(*call, input);
    if (output)
        return {*output, 0, ""};
    return failed(call->verb == Verb::del ? without_swallowed_words(output.error()) : output.error(), input);
}

} // namespace

Outcome run(Plugin plugin, const Variables& variable, const Result<std::string>& input)
{
    try {
        return run_unguarded(plugin, variable, input);
    } catch (
        const std::exception& bug) { // out of memory, or an error of ours: the caller still gets its JSON
        return failed(failure(ErrorCode::system_failure, std::string("internal error: ") + bug.what()),
                      input);
    }
}

} // namespace routelet::cni
