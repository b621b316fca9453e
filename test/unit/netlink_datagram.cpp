#include "netlink/datagram.h"
#include "test/support/catch.h"

#include <linux/rtnetlink.h>

#include <cstring>
#include <vector>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

// A message that says of itself that it is `length` bytes long.
std::vector<std::uint8_t> message(std::uint32_t length, std::size_t payload)
{
    const nlmsghdr header{
        .nlmsg_len = length, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = 0, .nlmsg_seq = 7, .nlmsg_pid = 0};
    std::vector<std::uint8_t> bytes(sizeof header + payload, 0xab);
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
}

std::vector<std::size_t> payload_sizes(const std::vector<std::uint8_t>& datagram)
{
    std::vector<std::size_t> sizes;
    for_each_message(datagram, [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
        CHECK(header.nlmsg_seq == 7);
        sizes.push_back(payload.size());
    });
    return sizes;
}

} // namespace

TEST_CASE("a datagram's messages are read one behind the other, aligned to four bytes", "[netlink]")
{
    std::vector<std::uint8_t> datagram = message(16 + 5, 8);
    const std::vector<std::uint8_t> second = message(16 + 3, 3); // the last one need not be filled up
    datagram.insert(datagram.end(), second.begin(), second.end());
    CHECK(payload_sizes(datagram) == std::vector<std::size_t>{5, 3});
    CHECK(payload_sizes({}).empty());
}

TEST_CASE("a message that claims another length than it can have ends the datagram", "[netlink]")
{
    const std::uint32_t length = GENERATE(0U, 15U, 16U + 9U, 0x7fffffffU, 0x80000000U, 0xffffffffU);
    CHECK(payload_sizes(message(length, 8)).empty());
}
