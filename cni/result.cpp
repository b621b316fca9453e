#include "cni/result.h"

#include "cni/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace routelet::cni {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Error undecodable(std::string what)
{
    return failure(ErrorCode::decoding_failure, "prevResult: " + std::move(what));
}

ordered_json to_json(const ResultInterface& interface, CniVersion version)
{
    ordered_json object;
    object["name"] = interface.name;
    if (!interface.mac.empty())
        object["mac"] = interface.mac;
    if (interface.mtu != 0 && version >= CniVersion::v1_1_0)
        object["mtu"] = interface.mtu;
    if (!interface.sandbox.empty())
        object["sandbox"] = interface.sandbox;
    return object;
}

ordered_json to_json(const ResultAddress& address, CniVersion version)
{
    ordered_json object;
    if (version < CniVersion::v1_0_0)
        object["version"] = address.address.family() == IpFamily::v4 ? "4" : "6";
    if (address.interface)
        object["interface"] = *address.interface;
    object["address"] = address.address.to_string() + "/" + std::to_string(address.length);
    if (address.gateway)
        object["gateway"] = address.gateway->to_string();
    return object;
}

ordered_json to_json(const ResultRoute& route)
{
    ordered_json object;
    object["dst"] = route.destination.to_string();
    if (route.gateway)
        object["gw"] = route.gateway->to_string();
    return object;
}

// A list under `key`; absent and null are empty lists.
Result<std::vector<json>> list_of(const json& document, const char* key)
{
    const auto found = document.find(key);
    if (found == document.end() || found->is_null())
        return std::vector<json>{};
    if (!found->is_array())
        return undecodable(std::string("\"") + key + "\" is not a list");
    for (const json& item : *found)
        if (!item.is_object())
            return undecodable(std::string("\"") + key + "\" has an entry that is not an object");
    return found->get<std::vector<json>>();
}

// A text under `key`, empty when absent.
Result<std::string> text_of(const json& object, const char* key)
{
    const auto found = object.find(key);
    if (found == object.end() || found->is_null())
        return std::string{};
    if (!found->is_string())
        return undecodable(std::string("\"") + key + "\" is not a string");
    return found->get<std::string>();
}

Result<std::optional<IpAddress>> address_of(const json& object, const char* key)
{
    const Result<std::string> text = text_of(object, key);
    if (!text)
        return text.error();
    if (text->empty())
        return std::optional<IpAddress>{};
    const Result<IpAddress> address = IpAddress::parse(*text);
    if (!address)
        return undecodable(std::string("\"") + key + "\" is \"" + *text + "\", which is not an address");
    return std::optional<IpAddress>(*address);
}

Result<ResultInterface> parse_interface(const json& object)
{
    ResultInterface interface;
    for (const auto& [key, into] : {std::pair{"name", &interface.name}, std::pair{"mac", &interface.mac},
                                    std::pair{"sandbox", &interface.sandbox}}) {
        Result<std::string> text = text_of(object, key);
        if (!text)
            return text.error();
        *into = std::move(*text);
    }
    const auto mtu = object.find("mtu");
    if (mtu != object.end() && mtu->is_number_unsigned() && mtu->get<std::uint64_t>() <= 0xffffffffU)
        interface.mtu = mtu->get<std::uint32_t>();
    return interface;
}

Result<ResultAddress> parse_address(const json& object)
{
    const Result<std::string> text = text_of(object, "address");
    if (!text)
        return text.error();
    const std::size_t slash = text->find('/');
    const Result<IpAddress> address = IpAddress::parse(text->substr(0, slash));
    if (slash == std::string::npos || !address)
        return undecodable("\"address\" is \"" + *text + "\", which is not an address with its length");
    // The length is checked as that of a network, so that every rule of IpPrefix holds for it.
    const Result<IpPrefix> any_network =
        IpPrefix::parse((address->family() == IpFamily::v4 ? "0.0.0.0/" : "::/") + text->substr(slash + 1));
    if (!any_network)
        return undecodable("\"address\" is \"" + *text + "\", whose length is none");

    const Result<std::optional<IpAddress>> gateway = address_of(object, "gateway");
    if (!gateway)
        return gateway.error();
    ResultAddress parsed{*address, any_network->length(), *gateway, {}};
    const auto interface = object.find("interface");
    if (interface != object.end() && interface->is_number_unsigned())
        parsed.interface = interface->get<std::size_t>();
    return parsed;
}

Result<ResultRoute> parse_route(const json& object)
{
    const Result<std::string> text = text_of(object, "dst");
    if (!text)
        return text.error();
    const Result<IpPrefix> destination = IpPrefix::parse(*text);
    if (!destination)
        return undecodable("\"dst\" is \"" + *text + "\", which is not a network");
    const Result<std::optional<IpAddress>> gateway = address_of(object, "gw");
    if (!gateway)
        return gateway.error();
    return ResultRoute{*destination, *gateway};
}

template <class Item>
Result<> parse_list(const json& document, const char* key, Result<Item> (*parse)(const json&),
                    std::vector<Item>& into)
{
    const Result<std::vector<json>> list = list_of(document, key);
    if (!list)
        return list.error();
    for (const json& object : *list) {
        Result<Item> item = parse(object);
        if (!item)
            return item.error();
        into.push_back(std::move(*item));
    }
    return {};
}

} // namespace

std::string_view to_string(CniVersion version) noexcept
{
    switch (version) {
    case CniVersion::v0_3_0:
        return "0.3.0";
    case CniVersion::v0_3_1:
        return "0.3.1";
    case CniVersion::v0_4_0:
        return "0.4.0";
    case CniVersion::v1_0_0:
        return "1.0.0";
    case CniVersion::v1_1_0:
        return "1.1.0";
    }
    return "";
}

std::optional<CniVersion> parse_cni_version(std::string_view text) noexcept
{
    for (const CniVersion version : supported_versions)
        if (to_string(version) == text)
            return version;
    return std::nullopt;
}

std::string render_result(const AttachmentResult& result, CniVersion version)
{
    ordered_json document;
    document["cniVersion"] = to_string(version);
    for (const ResultInterface& interface : result.interfaces)
        document["interfaces"].push_back(to_json(interface, version));
    for (const ResultAddress& address : result.addresses)
        document["ips"].push_back(to_json(address, version));
    for (const ResultRoute& route : result.routes)
        document["routes"].push_back(to_json(route));
    if (!result.dns.empty())
        document["dns"] = ordered_json::parse(result.dns);
    return document.dump(4, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<AttachmentResult> parse_result(const json& document)
{
    if (!document.is_object())
        return undecodable("it is not an object");
    AttachmentResult result;
    if (auto parsed = parse_list(document, "interfaces", parse_interface, result.interfaces); !parsed)
        return parsed.error();
    if (auto parsed = parse_list(document, "ips", parse_address, result.addresses); !parsed)
        return parsed.error();
    if (auto parsed = parse_list(document, "routes", parse_route, result.routes); !parsed)
        return parsed.error();
    if (const auto dns = document.find("dns"); dns != document.end() && dns->is_object() && !dns->empty())
        result.dns = dns->dump();
    return result;
}

AttachmentResult append_result(AttachmentResult before, const AttachmentResult& ours)
{
    const std::size_t shift = before.interfaces.size();
    before.interfaces.insert(before.interfaces.end(), ours.interfaces.begin(), ours.interfaces.end());
    for (ResultAddress address : ours.addresses) {
        if (address.interface)
            *address.interface += shift;
        before.addresses.push_back(std::move(address));
    }
    before.routes.insert(before.routes.end(), ours.routes.begin(), ours.routes.end());
    if (!ours.dns.empty())
        before.dns = ours.dns;
    return before;
}

std::string render_error(const Error& error, std::string_view version)
{
    ordered_json document;
    document["cniVersion"] = version;
    document["code"] = code_of(error);
    document["msg"] = message_of(error);
    document["details"] = details_of(error);
    // What a configuration or the environment held may not be UTF-8: replaced, never thrown over.
    return document.dump(4, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string render_versions(std::string_view asked)
{
    ordered_json document;
    document["cniVersion"] = asked.empty() ? to_string(supported_versions.back()) : asked;
    for (const CniVersion version : supported_versions)
        document["supportedVersions"].push_back(to_string(version));
    return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace routelet::cni
