#include "cni/wishes.h"

#include "cni/error.h"
#include "cni/json_reader.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <span>

namespace routelet::cni {
namespace {

using nlohmann::json;

// "10.244.1.7" or "10.244.1.7/24": the length that counts is the range's.
Result<> add_wanted_address(std::string_view text, PodNetwork& pod)
{
    const std::size_t slash = text.find('/');
    const Result<IpAddress> address = IpAddress::parse(text.substr(0, slash));
    unsigned length = 0; // bits
    const std::string_view digits = slash == std::string_view::npos ? "0" : text.substr(slash + 1);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!address || failed != std::errc() || end != digits.data() + digits.size() || length > address->bits())
        return invalid_config("the requested address \"" + std::string(text) + "\" is not one");
    if (std::ranges::find(pod.wanted_addresses, *address) == pod.wanted_addresses.end())
        pod.wanted_addresses.push_back(*address);
    return {};
}

Result<> add_wanted_mac(const std::string& text, PodNetwork& pod)
{
    const Result<netlink::MacAddress> mac = netlink::MacAddress::parse(text);
    if (!mac || (mac->bytes[0] & 1U) != 0) // the group bit: not an address that a station may have
        return invalid_config("the requested MAC address \"" + text + "\" is not one of a single interface");
    pod.wanted_mac = *mac;
    return {};
}

// {"ips": ["10.244.1.7/24"], "mac": "0a:58:0a:f4:01:07"}, the shape of args.cni and of runtimeConfig.
Result<> add_wishes(const json& object, PodNetwork& pod)
{
    const Result<const json*> addresses = read_array(object, "ips");
    if (!addresses)
        return addresses.error();
    for (const json& address : *addresses == nullptr ? json::array() : **addresses) {
        if (!address.is_string())
            return invalid_config("\"ips\" has an entry that is not a string");
        if (auto added = add_wanted_address(address.get<std::string>(), pod); !added)
            return added;
    }
    const Result<std::optional<std::string>> mac = read_string(object, "mac");
    if (!mac)
        return mac.error();
    return mac->has_value() && !(*mac)->empty() ? add_wanted_mac(**mac, pod) : Result<>{};
}

Result<std::uint16_t> parse_port(const json& object, const char* key)
{
    const Result<std::optional<std::int64_t>> port = read_integer(object, key);
    if (!port)
        return port.error();
    const std::int64_t value = port->value_or(0);
    if (value < 1 || value > std::numeric_limits<std::uint16_t>::max())
        return invalid_config("\"portMappings\": \"" + std::string(key) + "\" is " + std::to_string(value) +
                              "; it has to be 1 to 65535");
    return static_cast<std::uint16_t>(value);
}

// The same with these keys in their usual spelling. containerd writes HostPort, and counts on plugins to read
// keys as Go does, whatever their case; all others are case-sensitive here.
json with_usual_keys(const json& object, std::span<const std::string_view> keys)
{
    const auto is_same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    json usual = json::object();
    for (const auto& [written, value] : object.items())
        for (const std::string_view key : keys)
            if (std::ranges::equal(written, key, is_same))
                usual[std::string(key)] = value;
    return usual;
}

// {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "192.168.1.11"}
Result<PortMapping> parse_port_mapping(const json& written)
{
    constexpr std::array<std::string_view, 4> keys = {"hostPort", "containerPort", "protocol", "hostIP"};
    if (!written.is_object())
        return invalid_config("\"portMappings\" has an entry that is not an object");
    const json object = with_usual_keys(written, keys);
    const Result<std::uint16_t> host_port = parse_port(object, "hostPort");
    if (!host_port)
        return host_port.error();
    const Result<std::uint16_t> container_port = parse_port(object, "containerPort");
    if (!container_port)
        return container_port.error();
    const Result<std::optional<std::string>> name = read_string(object, "protocol");
    if (!name)
        return name.error();
    const auto protocol = parse_protocol(name->value_or("tcp"));
    if (!protocol)
        return invalid_config("\"portMappings\": \"protocol\" is \"" + **name +
                              "\"; it has to be tcp, udp or sctp");
    const Result<std::optional<IpAddress>> host = read_address(object, "hostIP");
    if (!host)
        return host.error();
    return PortMapping{*protocol, *host, *host_port, *container_port};
}

} // namespace

Result<> parse_wishes(const json& document, const CniArgs& args, PodNetwork& pod)
{
    for (std::string_view rest = args.address ? std::string_view(*args.address) : ""; !rest.empty();) {
        const std::size_t comma = rest.find(',');
        if (auto added = add_wanted_address(rest.substr(0, comma), pod); !added)
            return added;
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    if (args.mac)
        if (auto added = add_wanted_mac(*args.mac, pod); !added)
            return added;

    const Result<const json*> conventional = read_object(document, "args");
    if (!conventional)
        return conventional.error();
    const Result<const json*> of_cni =
        *conventional == nullptr ? Result<const json*>(nullptr) : read_object(**conventional, "cni");
    if (!of_cni)
        return of_cni.error();
    const Result<const json*> runtime = read_object(document, "runtimeConfig");
    if (!runtime)
        return runtime.error();
    for (const json* object : {*of_cni, *runtime})
        if (object != nullptr)
            if (auto added = add_wishes(*object, pod); !added)
                return added;

    for (const IpAddress& address : pod.wanted_addresses)
        if (std::ranges::none_of(pod.range_sets, [&address](const RangeSet& set) {
                return set.range_offering(address) != nullptr;
            }))
            return invalid_config("the requested address " + address.to_string() +
                                  " is in none of the ranges");
    for (const RangeSet& set : pod.range_sets)
        if (std::ranges::count_if(pod.wanted_addresses, [&set](const IpAddress& address) {
                return set.range_offering(address) != nullptr;
            }) > 1)
            return invalid_config("two addresses of " + set.to_string() +
                                  " are requested; a pod gets one of each set of ranges");
    return {};
}

Result<> parse_port_mappings(const json& document, PodNetwork& pod)
{
    const Result<const json*> runtime = read_object(document, "runtimeConfig");
    if (!runtime)
        return runtime.error();
    const Result<const json*> listed =
        *runtime == nullptr ? Result<const json*>(nullptr) : read_array(**runtime, "portMappings");
    if (!listed)
        return listed.error();
    for (const json& object : *listed == nullptr ? json::array() : **listed) {
        const Result<PortMapping> mapping = parse_port_mapping(object);
        if (!mapping)
            return mapping.error();
        pod.port_mappings.push_back(*mapping);
    }
    return {};
}

} // namespace routelet::cni
