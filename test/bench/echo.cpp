// The least that a repair can take: a route of Routelet's protocol that somebody removes is sent back as the
// kernel announced it, and nothing is thought about it. What an agent takes longer is its own.
//
// Usage: routelet-bench-echo
//
// IPv4 only. Prints one line of JSON, {"what":"listening"}; from then on nothing is missed. Runs until it is
// killed.
#include "base/result.h"
#include "base/unique_fd.h"
#include "test/bench/numbered_route.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

using namespace routelet;

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(last_errno(what).text());
}

UniqueFd open_socket(std::uint32_t groups)
{
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (!socket || bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("opening an rtnetlink socket");
    return socket;
}

[[noreturn]] void echo()
{
    const UniqueFd announcements = open_socket(RTMGRP_IPV4_ROUTE);
    const UniqueFd requests = open_socket(0);
    std::puts("{\"what\":\"listening\"}");
    (void)std::fflush(stdout);
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    alignas(nlmsghdr) std::array<char, 32768> answer;
    for (;;) {
        pollfd readable{.fd = announcements.fd(), .events = POLLIN, .revents = 0};
        if (poll(&readable, 1, -1) < 0 || recv(announcements.fd(), buffer.data(), buffer.size(), 0) < 0)
            fail("reading the kernel's announcements");
        auto* const header = reinterpret_cast<nlmsghdr*>(buffer.data());
        auto* const route = static_cast<rtmsg*>(NLMSG_DATA(header));
        if (header->nlmsg_type != RTM_DELROUTE || route->rtm_protocol != bench::route_protocol)
            continue;
        header->nlmsg_type = RTM_NEWROUTE;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        header->nlmsg_pid = 0;
        route->rtm_flags = 0;
        if (send(requests.fd(), header, header->nlmsg_len, 0) < 0 ||
            recv(requests.fd(), answer.data(), answer.size(), 0) < 0)
            fail("sending a route back");
    }
}

} // namespace

int main(int argc, char**)
try {
    if (argc != 1) {
        std::cerr << "usage: routelet-bench-echo\n";
        return 2;
    }
    echo();
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-echo: " << error.what() << '\n';
    return 1;
}
