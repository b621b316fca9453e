#include "cni/loopback.h"

#include "cni/attachment.h"
#include "cni/error.h"
#include "cni/json_reader.h"
#include "netlink/address.h"

namespace routelet::cni {
namespace {

constexpr const char* name = "lo";

Result<netlink::Link> find_loopback(netlink::Socket& pod)
{
    Result<std::optional<netlink::Link>> link = netlink::find_link(pod, name);
    if (!link)
        return link.error();
    if (!link->has_value())
        return failure(ErrorCode::system_failure, "the pod's network namespace has no interface lo");
    return std::move(**link);
}

Result<std::optional<AttachmentResult>> previous_in(const std::string& input)
{
    const auto document = parse_object(input);
    if (!document)
        return document.error();
    const auto previous = read_object(*document, "prevResult");
    if (!previous)
        return previous.error();
    if (*previous == nullptr)
        return std::nullopt;
    auto result = parse_result(**previous);
    if (!result)
        return result.error();
    return std::move(*result);
}

Result<AttachmentResult> describe(netlink::Socket& pod, const netlink::Link& link, const std::string& netns)
{
    const auto addresses = netlink::list_addresses(pod, link.index);
    if (!addresses)
        return addresses.error();
    AttachmentResult result;
    result.interfaces = {{link.name, link.mac ? link.mac->to_string() : "", netns}};
    for (const netlink::InterfaceAddress& address : *addresses)
        result.addresses.push_back({address.address, address.length, std::nullopt, 0});
    return result;
}

Result<std::string> add(const Environment& call, const Config& config, const std::string& input)
{
    auto previous = previous_in(input);
    if (!previous)
        return previous.error();
    Result<Sides> sides = Sides::open(call.netns);
    if (!sides)
        return sides.error();
    const Result<netlink::Link> link = find_loopback(sides->pod);
    if (!link)
        return link.error();
    if (auto up = sides->pod.execute(netlink::set_link_up(link->index)); !up)
        return up.error();
    if (previous->has_value())
        return render_result(**previous, config.network.version);
    const Result<AttachmentResult> result = describe(sides->pod, *link, call.netns);
    if (!result)
        return result.error();
    return render_result(*result, config.network.version);
}

Result<std::string> check(const Environment& call)
{
    Result<Sides> sides = Sides::open(call.netns);
    if (!sides)
        return sides.error();
    const Result<netlink::Link> link = find_loopback(sides->pod);
    if (!link)
        return link.error();
    if (!link->is_up())
        return failure(ErrorCode::attachment_differs, "the pod's interface lo is down");
    return std::string{};
}

} // namespace

Result<std::string> run_loopback(const Environment& call, const Config& config, const std::string& input)
{
    if (call.verb == Verb::add)
        return add(call, config, input);
    if (call.verb == Verb::check)
        return check(call);
    return std::string{};
}

} // namespace routelet::cni
