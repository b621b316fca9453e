#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace routelet::fuzz {

// An input of the decoders: its first two bytes say how the rest, the body, is cut into pieces. The first is
// the longest piece's size, the second where a row of sizes begins that looks random; '0' and less is a byte
// at a time.
struct CutBody {
    std::string_view body;
    std::vector<std::string_view> pieces; // of body, none empty
};

inline CutBody cut_body(std::string_view input)
{
    if (input.size() < 2)
        return {};
    const unsigned most = static_cast<std::uint8_t>(input[0]);
    std::uint32_t random = static_cast<std::uint8_t>(input[1]);
    CutBody cut{input.substr(2), {}};
    for (std::string_view rest = cut.body; !rest.empty();) {
        random = random * 1664525U + 1013904223U; // Numerical Recipes, 2nd edition, section 7.1
        const std::size_t size = most <= '0' ? 1 : 1 + (random >> 16U) % most;
        cut.pieces.push_back(rest.substr(0, size));
        rest.remove_prefix(cut.pieces.back().size());
    }
    return cut;
}

} // namespace routelet::fuzz
