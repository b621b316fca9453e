#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// The versions of the CNI specification that we speak, oldest first.
enum class CniVersion { v0_3_0, v0_3_1, v0_4_0, v1_0_0, v1_1_0 };

inline constexpr std::array supported_versions = {CniVersion::v0_3_0, CniVersion::v0_3_1, CniVersion::v0_4_0,
                                                  CniVersion::v1_0_0, CniVersion::v1_1_0};

std::string_view to_string(CniVersion version) noexcept;
std::optional<CniVersion> parse_cni_version(std::string_view text) noexcept; // exact

// What ADD hands back (CNI SPEC 1.1.0, "ADD Success"), in no version's own shape.
struct ResultInterface {
    std::string name;
    std::string mac;
    std::string sandbox;   // CNI_NETNS as it was given; empty for an interface of the host
    std::uint32_t mtu = 0; // bytes; 0: not said
};
struct ResultAddress {
    IpAddress address;
    unsigned length = 0; // bits
    std::optional<IpAddress> gateway;
    std::optional<std::size_t> interface; // index into interfaces
};
struct ResultRoute {
    IpPrefix destination;
    std::optional<IpAddress> gateway;

    friend bool operator==(const ResultRoute&, const ResultRoute&) = default;
};
struct AttachmentResult {
    std::vector<ResultInterface> interfaces;
    std::vector<ResultAddress> addresses;
    std::vector<ResultRoute> routes;
    std::string dns; // the configuration's "dns" object as JSON text; empty: none
};

// The JSON document of that version: `version` of an address only before 1.0.0, `mtu` only from 1.1.0 on.
std::string render_result(const AttachmentResult& result, CniVersion version);
// Reads a prevResult of any of our versions. Fails with decoding_failure, naming the key.
Result<AttachmentResult> parse_result(const nlohmann::json& document);
// The chain's result so far, followed by what we added: indexes of ours are shifted behind theirs.
AttachmentResult append_result(AttachmentResult before, const AttachmentResult& ours);

// The error object. `version` is what the caller speaks, as far as it was understood.
std::string render_error(const Error& error, std::string_view version);

// The answer to VERSION; `asked` is the cniVersion on input, empty when there was none.
std::string render_versions(std::string_view asked);

} // namespace routelet::cni
