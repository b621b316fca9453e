#include "test/support/netns_fixture.h"

#include "test/support/catch.h"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace routelet::test {
namespace {

using netlink::NetNamespace;
using netlink::Socket;

// Returns the namespace that was left.
NetNamespace enter_fresh_netns()
{
    NetNamespace before = need(NetNamespace::current());
    if (::unshare(CLONE_NEWNET) != 0)
        FAIL("kernel tests make network namespaces, which needs root: "
             << last_errno("unshare(CLONE_NEWNET)").text());
    return before;
}

} // namespace

NetnsFixture::NetnsFixture() : before_(enter_fresh_netns()), socket_(need(Socket::open()))
{
    run("ip link set lo up");
}

NetnsFixture::~NetnsFixture()
{
    (void)before_.enter(); // the fresh one goes with the last socket in it
}

void NetnsFixture::run(const std::string& command) const
{
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
}

std::string NetnsFixture::output(const std::string& command) const
{
    INFO(command);
    const auto close = [](std::FILE* pipe) { (void)::pclose(pipe); };
    const std::unique_ptr<std::FILE, decltype(close)> pipe(::popen(command.c_str(), "r"), close);
    REQUIRE(pipe != nullptr);
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t size = 0; (size = std::fread(part.data(), 1, part.size(), pipe.get())) > 0;)
        text.append(part.data(), size);
    return text;
}

netlink::IfIndex NetnsFixture::add_uplink(const std::string& name, const std::vector<std::string>& addresses)
{
    run("ip link add " + name + " type veth peer name " + name + "-far");
    run("ip link set " + name + "-far up");
    run("ip link set " + name + " up");
    for (const auto& address : addresses)
        run("ip address add " + address + " dev " + name +
            (address.find(':') == std::string::npos ? "" : " nodad"));
    return index_of(name);
}

netlink::Link NetnsFixture::link_of(const std::string& name)
{
    INFO(name);
    const auto link = need(netlink::find_link(socket_, name));
    REQUIRE(link.has_value());
    return *link;
}

netlink::IfIndex NetnsFixture::index_of(const std::string& name)
{
    return link_of(name).index;
}

netlink::NetNamespace another_netns()
{
    const NetNamespace home = enter_fresh_netns();
    NetNamespace fresh = need(NetNamespace::current());
    need(home.enter());
    return fresh;
}

} // namespace routelet::test
