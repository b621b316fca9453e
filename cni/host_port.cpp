#include "cni/host_port.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace routelet::cni {
namespace {

constexpr std::array protocols = {std::pair{std::string_view("tcp"), std::uint8_t{IPPROTO_TCP}},
                                  std::pair{std::string_view("udp"), std::uint8_t{IPPROTO_UDP}},
                                  std::pair{std::string_view("sctp"), std::uint8_t{IPPROTO_SCTP}}};

IpAddress any_address(IpFamily family)
{
    return family == IpFamily::v4 ? IpAddress() : *IpAddress::parse("::");
}

// Up to the next blank, which it takes away with it.
std::string_view take_word(std::string_view& text)
{
    const std::size_t blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
    return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool is_port = failed == std::errc() && end == text.data() + text.size() && port != 0;
    return is_port ? std::optional(port) : std::nullopt;
}

// "tcp 0.0.0.0 8080 10.244.1.7 80"
std::optional<HostPort> parse_host_port(std::string_view text)
{
    const auto protocol = parse_protocol(take_word(text));
    const auto host = IpAddress::parse(take_word(text));
    const auto host_port = parse_port(take_word(text));
    const auto pod = IpAddress::parse(take_word(text));
    const auto pod_port = parse_port(take_word(text));
    if (!protocol || !host || !host_port || !pod || !pod_port || host->family() != pod->family())
        return std::nullopt;
    return HostPort{*protocol, *host, *host_port, *pod, *pod_port};
}

} // namespace

bool HostPort::clashes_with(const HostPort& other) const noexcept
{
    return protocol == other.protocol && host == other.host && host_port == other.host_port;
}

std::string HostPort::to_string() const
{
    const bool is_v6 = host.family() == IpFamily::v6;
    const std::string address = host.is_unspecified() ? ""
                                : is_v6               ? "[" + host.to_string() + "]:"
                                                      : host.to_string() + ":";
    return address + std::to_string(host_port) + "/" + std::string(protocol_name(protocol));
}

std::string_view protocol_name(std::uint8_t protocol) noexcept
{
    for (const auto& [name, number] : protocols)
        if (number == protocol)
            return name;
    return "?";
}

std::optional<std::uint8_t> parse_protocol(std::string_view name)
{
    const auto is_same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    for (const auto& [known, number] : protocols)
        if (std::ranges::equal(name, known, is_same))
            return number;
    return std::nullopt;
}

std::vector<HostPort> host_ports_of(const std::vector<PortMapping>& mappings,
                                    const std::vector<IpAddress>& pod_addresses)
{
    std::vector<HostPort> ports;
    for (const PortMapping& mapping : mappings)
        for (const IpAddress& pod : pod_addresses) {
            if (mapping.host && mapping.host->family() != pod.family())
                continue;
            const HostPort port{mapping.protocol, mapping.host.value_or(any_address(pod.family())),
                                mapping.host_port, pod, mapping.container_port};
            if (std::ranges::find(ports, port) == ports.end())
                ports.push_back(port);
        }
    return ports;
}

std::string HostPortRecord::owner() const
{
    const std::string container = "container " + id.container + ", interface " + id.interface;
    return pod.empty() ? container : "pod " + pod + " (" + container + ")";
}

std::string record_text(const HostPortRecord& record)
{
    std::string text = "network " + record.network + "\n";
    if (!record.pod.empty())
        text += "pod " + record.pod + "\n";
    text += "link " + record.link + "\n";
    for (const HostPort& port : record.ports)
        text += "port " + std::string(protocol_name(port.protocol)) + " " + port.host.to_string() + " " +
                std::to_string(port.host_port) + " " + port.pod.to_string() + " " +
                std::to_string(port.pod_port) + "\n";
    return text;
}

std::optional<HostPortRecord> parse_record(const AttachmentId& id, std::string_view text)
{
    HostPortRecord record{.id = id, .network = {}, .pod = {}, .link = {}, .ports = {}};
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) // every line of ours ends, so this one was cut
            return std::nullopt;
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const std::string_view key = take_word(line);
        if (key == "network") {
            record.network = line;
        } else if (key == "pod") {
            record.pod = line;
        } else if (key == "link" && is_interface_name(line)) {
            record.link = line;
        } else if (const auto port = parse_host_port(line); key == "port" && port) {
            record.ports.push_back(*port);
        } else {
            return std::nullopt;
        }
    }
    return record.link.empty() || record.ports.empty() ? std::nullopt : std::optional(record);
}

} // namespace routelet::cni
