// The least that programming routes can cost: RTM_NEWROUTE messages in batches, by send(2), with an answer
// asked for the last of each batch only. What any other program takes longer is its own.
//
// Usage: routelet-bench-sender inet|inet6 LINK COUNT
//
// Prints one line of JSON, from before the first message to the last answer:
//   {"what":"programmed","routes":100000,"ms":412.310,"cpu_ms":405.122}
// Exit status: 0 only when the kernel has taken all of them.
#include "base/result.h"
#include "base/unique_fd.h"
#include "test/bench/numbered_route.h"
#include "test/bench/usage.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using namespace routelet;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::uint32_t batch_messages = 512;

// One message as it travels; `size` is an address's. Nothing in it needs padding.
template <std::size_t size>
struct NewRoute {
    nlmsghdr header;
    rtmsg route;
    rtattr destination_head;
    std::array<std::uint8_t, size> destination;
    rtattr gateway_head;
    std::array<std::uint8_t, size> gateway;
    rtattr link_head;
    std::uint32_t link;
    rtattr metric_head;
    std::uint32_t metric;
};
static_assert(sizeof(NewRoute<4>) == sizeof(nlmsghdr) + sizeof(rtmsg) + 4 * (sizeof(rtattr) + 4));
static_assert(sizeof(NewRoute<16>) == sizeof(nlmsghdr) + sizeof(rtmsg) + 2 * (sizeof(rtattr) + 16 + 4 + 4));

struct Asked {
    int family;
    std::uint32_t link, routes;
};

constexpr rtattr head(std::uint16_t type, std::size_t size)
{
    return {.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + size), .rta_type = type};
}

template <std::size_t size>
NewRoute<size> message(const Asked& asked, std::uint32_t number)
{
    const bench::NumberedRoute numbered = bench::numbered_route(asked.family, number);
    NewRoute<size> made{};
    made.header = {.nlmsg_len = sizeof made,
                   .nlmsg_type = RTM_NEWROUTE,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
                   .nlmsg_seq = number + 1,
                   .nlmsg_pid = 0};
    made.route = {.rtm_family = static_cast<std::uint8_t>(asked.family),
                  .rtm_dst_len = bench::prefix_length(asked.family),
                  .rtm_src_len = 0,
                  .rtm_tos = 0,
                  .rtm_table = RT_TABLE_MAIN,
                  .rtm_protocol = bench::route_protocol,
                  .rtm_scope = RT_SCOPE_UNIVERSE,
                  .rtm_type = RTN_UNICAST,
                  .rtm_flags = 0};
    made.destination_head = head(RTA_DST, size);
    std::memcpy(made.destination.data(), numbered.destination.data(), size);
    made.gateway_head = head(RTA_GATEWAY, size);
    std::memcpy(made.gateway.data(), numbered.gateway.data(), size);
    made.link_head = head(RTA_OIF, sizeof made.link);
    made.link = asked.link;
    made.metric_head = head(RTA_PRIORITY, sizeof made.metric);
    made.metric = numbered.metric;
    return made;
}

[[noreturn]] void fail(int error_number, const std::string& what)
{
    throw std::system_error(error_number, std::generic_category(), what);
}

// The kernel answers each message that fails, and the last one.
void await_answer(int fd, std::uint32_t sequence)
{
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    for (;;) {
        const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
        if (size < 0)
            fail(errno, "reading the kernel's answer");
        auto left = static_cast<int>(size);
        for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            const auto* const answer = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
            if (header->nlmsg_type == NLMSG_ERROR && answer->error != 0)
                fail(-answer->error, "route number " + std::to_string(header->nlmsg_seq - 1));
            if (header->nlmsg_seq == sequence)
                return;
        }
    }
}

template <std::size_t size>
void program(int fd, const Asked& asked)
{
    std::array<NewRoute<size>, batch_messages> batch;
    for (std::uint32_t done = 0; done < asked.routes;) {
        std::uint32_t filled = 0;
        for (; filled < batch_messages && done < asked.routes; ++filled, ++done)
            batch[filled] = message<size>(asked, done);
        batch[filled - 1].header.nlmsg_flags |= NLM_F_ACK;
        if (send(fd, batch.data(), filled * sizeof batch[0], 0) < 0)
            fail(errno, "sending to the kernel");
        await_answer(fd, done);
    }
}

void run(const Asked& asked)
{
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket)
        fail(errno, "opening an rtnetlink socket");
    const auto started = Clock::now();
    const double cpu_before = bench::cpu_ms();
    if (asked.family == AF_INET)
        program<4>(socket.fd(), asked);
    else
        program<16>(socket.fd(), asked);
    const Milliseconds took = Clock::now() - started;
    std::printf("{\"what\":\"programmed\",\"routes\":%u,\"ms\":%.3f,\"cpu_ms\":%.3f}\n", asked.routes,
                took.count(), bench::cpu_ms() - cpu_before);
}

} // namespace

int main(int argc, char** argv)
try {
    const std::string_view family = argc == 4 ? argv[1] : "";
    if (family != "inet" && family != "inet6") {
        std::cerr << "usage: routelet-bench-sender inet|inet6 LINK COUNT\n";
        return 2;
    }
    const Asked asked{.family = family == "inet" ? AF_INET : AF_INET6,
                      .link = if_nametoindex(argv[2]),
                      .routes = static_cast<std::uint32_t>(std::stoul(argv[3]))};
    if (asked.link == 0)
        fail(errno, argv[2]);
    if (asked.routes > routelet::bench::most_routes)
        fail(ERANGE, "so many routes");
    run(asked);
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-sender: " << error.what() << '\n';
    return 1;
}
