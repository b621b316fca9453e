#include "test/lab/node_rules.h"

#include "base/ip.h"
#include "test/lab/refusal.h"

#include <charconv>
#include <optional>
#include <string>

namespace routelet::lab {
namespace {

std::string name_of(const Json& node)
{
    return text_at(node, {"metadata", "name"});
}

bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

// "10.001.0.5" as Go's ParseCIDRSloppy reads it: "10.1.0.5".
std::string without_leading_zeros(const std::string& text)
{
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool at_start = plain.empty() || plain.back() == '.';
        const bool digit_follows = i + 1 < text.size() && is_digit(text[i + 1]);
        if (!(text[i] == '0' && at_start && digit_follows))
            plain += text[i];
    }
    return plain;
}

// RFC 1123: labels of lower case letters, digits and inner hyphens, joined by dots.
bool is_subdomain(const std::string& name)
{
    const auto is_alphanumeric = [](char letter) {
        return is_digit(letter) || (letter >= 'a' && letter <= 'z');
    };
    bool starts_label = true;
    bool may_end = false; // the last letter may end a label
    for (const char letter : name) {
        const bool fits =
            is_alphanumeric(letter) || (letter == '-' && !starts_label) || (letter == '.' && may_end);
        if (!fits)
            return false;
        may_end = is_alphanumeric(letter);
        starts_label = letter == '.';
    }
    return may_end && name.size() <= 253;
}

std::optional<IpFamily> family_of(const Json& cidr)
{
    if (!cidr.is_string())
        return std::nullopt;
    const std::string text = cidr.get<std::string>();
    const auto slash = text.find('/');
    if (slash == std::string::npos)
        return std::nullopt;
    const bool v6 = text.find(':') != std::string::npos;
    const std::string network = text.substr(0, slash);
    const auto address = IpAddress::parse(v6 ? network : without_leading_zeros(network));

    unsigned length = 0;
    const char* end = text.data() + text.size();
    const auto [stop, bad] = std::from_chars(text.data() + slash + 1, end, length);
    if (!address || bad != std::errc{} || stop != end || length > address->bits())
        return std::nullopt;
    return address->family();
}

void check_pod_cidrs(const Json& node)
{
    const Json& cidrs = list_at(node, {"spec", "podCIDRs"});
    unsigned of_family[2] = {0, 0};
    for (std::size_t i = 0; i < cidrs.size(); ++i) {
        const auto family = family_of(cidrs[i]);
        if (!family)
            throw invalid("Node", name_of(node), "spec.podCIDRs[" + std::to_string(i) + "]",
                          "Invalid value: " + to_text(cidrs[i]) + ": must be a valid CIDR");
        ++of_family[*family == IpFamily::v6 ? 1 : 0];
    }
    if (of_family[0] > 1 || of_family[1] > 1)
        throw invalid("Node", name_of(node), "spec.podCIDRs",
                      "Invalid value: " + to_text(cidrs) +
                          ": may specify no more than one CIDR for each IP family");
}

void check_addresses(const Json& node)
{
    const Json& addresses = list_at(node, {"status", "addresses"});
    for (std::size_t i = 0; i < addresses.size(); ++i)
        for (std::size_t earlier = 0; earlier < i; ++earlier)
            if (addresses[earlier] == addresses[i])
                throw invalid("Node", name_of(node), "status.addresses[" + std::to_string(i) + "]",
                              "Duplicate value: " + to_text(addresses[i]));
}

} // namespace

void default_pod_cidrs(Json& node)
{
    const std::string first = text_at(node, {"spec", "podCIDR"});
    const Json& cidrs = list_at(node, {"spec", "podCIDRs"});
    if (first.empty() && !cidrs.empty())
        node["spec"]["podCIDR"] = Json(cidrs.front());
    else if (!first.empty() && (cidrs.empty() || cidrs.front() != first))
        node["spec"]["podCIDRs"] = Json::array({first});
}

void check_new_node(const Json& node)
{
    const std::string name = name_of(node);
    if (!is_subdomain(name))
        throw invalid("Node", name, "metadata.name",
                      "Invalid value: \"" + name +
                          "\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                          "characters, '-' or '.', and must start and end with an alphanumeric character "
                          "(e.g. 'example.com', regex used for validation is "
                          "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    check_pod_cidrs(node);
}

void check_node_update(const Json& before, const Json& after)
{
    check_pod_cidrs(after);
    const Json& old_cidrs = list_at(before, {"spec", "podCIDRs"});
    if (!old_cidrs.empty() && old_cidrs != list_at(after, {"spec", "podCIDRs"}))
        throw invalid("Node", name_of(after), "spec.podCIDRs",
                      "Forbidden: node updates may not change podCIDR except from \"\" to valid");
    const std::string provider = text_at(before, {"spec", "providerID"});
    if (!provider.empty() && provider != text_at(after, {"spec", "providerID"}))
        throw invalid("Node", name_of(after), "spec.providerID",
                      "Forbidden: node updates may not change providerID except from \"\" to valid");
    if (list_at(before, {"status", "addresses"}) != list_at(after, {"status", "addresses"}))
        check_addresses(after);
}

} // namespace routelet::lab
