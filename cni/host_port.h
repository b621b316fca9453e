#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/environment.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// What a pod asks for: an entry of the capability "portMappings" (CNI CONVENTIONS.md), which stands for a
// container's hostPort.
struct PortMapping {
    std::uint8_t protocol = 0;      // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP
    std::optional<IpAddress> host;  // hostIP; none: every address of the node, of either family
    std::uint16_t host_port = 0;    // never 0
    std::uint16_t container_port{}; // never 0

    friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

// A port of the node that leads to a pod: a mapping as it is for one of the pod's addresses.
struct HostPort {
    std::uint8_t protocol = 0;
    IpAddress
        host; // unspecified: every address of the node, of this family. Before that counts a certain one.
    std::uint16_t host_port = 0;
    IpAddress pod; // of the same family
    std::uint16_t pod_port = 0;

    // Whether both are the same port of the node, so that one pod only can have it.
    bool clashes_with(const HostPort& other) const noexcept;
    std::string to_string() const; // "8080/tcp", "192.168.1.11:8080/tcp"

    friend bool operator==(const HostPort&, const HostPort&) = default;
};

std::string_view protocol_name(std::uint8_t protocol) noexcept;    // "tcp"
std::optional<std::uint8_t> parse_protocol(std::string_view name); // in capitals, too

// One for each of the pod's addresses that a mapping is for; the same one once.
std::vector<HostPort> host_ports_of(const std::vector<PortMapping>& mappings,
                                    const std::vector<IpAddress>& pod_addresses);

// The ports of one attachment.
struct HostPortRecord {
    AttachmentId id;
    std::string network; // its name
    std::string pod;     // "namespace/name" in Kubernetes, else empty: for messages
    std::string
        link; // the node's interface that the pod is behind: the bridge, or the host's end (Mode::ptp)
    std::vector<HostPort> ports;

    std::string owner() const; // who that is, for messages

    friend bool operator==(const HostPortRecord&, const HostPortRecord&) = default;
};

// A record as a file holds it, in lines, and back; empty when it is none.
//
//     network routelet
//     pod default/web-0
//     link v-net-0
//     port tcp 0.0.0.0 8080 10.244.1.7 80
std::string record_text(const HostPortRecord& record);
std::optional<HostPortRecord> parse_record(const AttachmentId& id, std::string_view text);

} // namespace routelet::cni
