#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <set>

namespace routelet::cni {

// What the kernel remembers of connections of pods that are gone. A packet that fits one is treated as that
// pod's were, by Services and masquerade of then, although another pod has the address by now. Nothing here
// takes a lock; `folder` is the network's, in dataDir.

// The addresses that were freed less than that long before `now` and are nobody's.
Result<std::set<IpAddress>> freed_lately(const std::filesystem::path& folder, std::chrono::seconds rest,
                                         std::chrono::system_clock::time_point now);

// Has the kernel forget the connections that one of these addresses began or answers, of the network
// namespace that the calling thread is in. One that is somebody's when all are found is passed over, so that
// no new pod loses a connection. Returns how many there were. Takes as long as the kernel needs for all its
// connections: 10 ms for none, 100 ms for some hundred thousand.
Result<std::size_t> forget_connections_of(const std::set<IpAddress>& addresses,
                                          const std::filesystem::path& folder);

} // namespace routelet::cni
