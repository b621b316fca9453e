#include "cni/plugin.h"

#include "cni/attachment.h"
#include "cni/check.h"
#include "cni/config.h"
#include "cni/error.h"
#include "cni/ipam.h"
#include "cni/living.h"
#include "cni/loopback.h"
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

// The link first: an address is free only once nothing uses it.
void roll_back(Sides& sides, const AttachmentId& id, const AddressStore& store)
{
    if (detach(sides.host, id))
        (void)store.release(id); // the failure that led here is the one to tell
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
    const Result<Attached> attached = attach(*sides, call.id, network, *bridge, *addresses);
    if (!attached) {
        roll_back(*sides, call.id, store);
        return attached.error();
    }
    const AttachmentResult ours = describe(call, network, *attached, *addresses);
    return render_result(network.previous ? append_result(*network.previous, ours) : ours,
                         config.network.version);
}

Result<> del(const Environment& call, const Config& config)
{
    Result<netlink::Socket> host = netlink::Socket::open();
    if (!host)
        return host.error();
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
    return check_attachment(*sides, {call.id, call.netns, *config.pod, *reserved});
}

Result<> remove_stale(netlink::Socket& host, const AttachmentId& id, const AddressStore& store)
{
    // Reservations of old host-local name no interface, so there is no link to derive from them.
    if (!id.interface.empty())
        if (auto detached = detach(host, id); !detached)
            return detached;
    return store.release(id);
}

// Goes on after a failure; all are told together.
Result<> gc(const Config& config)
{
    if (!config.valid_attachments)
        return {};
    const std::vector<AttachmentId>& valid = *config.valid_attachments;
    const AddressStore store = AddressStore::of(config.network);
    const Result<std::set<AttachmentId>> known = store.attachments(garbage_age);
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
        if (auto removed = remove_stale(*host, id, store); !removed)
            problems +=
                (problems.empty() ? "" : "; ") + host_interface_alias(id) + ": " + removed.error().text();
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
