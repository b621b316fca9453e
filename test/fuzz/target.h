#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// What every fuzz target is: one function that is called with bytes of any kind, over and over, and ends the
// process when the code under test breaks a promise (https://llvm.org/docs/LibFuzzer.html).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace routelet::fuzz {

// `promise` must be kept for every input.
inline void require(bool is_kept, const char* promise)
{
    if (is_kept)
        return;
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

// Stands in seeds where a secret is, and in no text of ours.
inline constexpr std::string_view secret_mark = "S3cret";

} // namespace routelet::fuzz
