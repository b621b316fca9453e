#pragma once
// Private to netlink/: a dump as a vector.
#include "netlink/socket.h"

#include <vector>

namespace routelet::netlink {

// Everything that a dump answers and `parse` understands. What it does not understand is left out: one
// strange object (a family or a kind that came after us) must not hide all the others.
template <class Object>
Result<std::vector<Object>> collect(Socket& socket, const Request& request,
                                    Result<Object> (*parse)(std::span<const std::uint8_t>))
{
    std::vector<Object> objects;
    const auto dumped = socket.dump(
        request, [&] { objects.clear(); },
        [&](const Message& message) {
            if (auto object = parse(message.payload))
                objects.push_back(std::move(*object));
        });
    if (!dumped)
        return dumped.error();
    return objects;
}

} // namespace routelet::netlink
