#pragma once
#include "base/ip.h"
#include "cni/state_directory.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace routelet::cni {

// The addresses that were freed a short while ago. Others may still send to who had one before, so it is
// better given to nobody for a time: connections in TIME_WAIT last 60 s in Linux, names of pods 30 s in
// CoreDNS, neighbour entries about as long.
//
// They are lines of the file "freed", for people too, the newest last:
//
//     2026-01-02T03:04:05Z 10.244.1.7
//
// Written at the end when an address is freed, before it is; cut by whoever reserves one. It is a wish, no
// promise: where it cannot be written or read, an address is freed and given out all the same.
class RestingAddresses {
public:
    using Time = std::chrono::system_clock::time_point;

    static constexpr const char* file_name = "freed";

    static void note_freed(const StateDirectory& state, const IpAddress& address, Time now);

    // Those freed less than `rest` before `now`. Removes the others' lines when there are many.
    static RestingAddresses read(const StateDirectory& state, std::chrono::seconds rest, Time now);
    // The same of a file's content. Lines that are none of ours, and those of the future, which a clock that
    // was set back leaves, count for nothing.
    static RestingAddresses parse(std::string_view lines, std::chrono::seconds rest, Time now);

    std::set<IpAddress> addresses() const;
    // The place among the resting ones, the one freed first at the lowest; empty when it does not rest.
    std::optional<std::size_t> place(const IpAddress& address) const;

private:
    std::map<IpAddress, std::size_t> places_; // of each its last line
    std::size_t lines_ = 0;                   // in the file
    std::string kept_;                        // the lines of those that rest
};

} // namespace routelet::cni
