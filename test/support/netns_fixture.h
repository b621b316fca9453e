#pragma once
#include "netlink/link.h"
#include "netlink/netns.h"
#include "netlink/socket.h"

#include <string>
#include <vector>

namespace routelet::test {

// A fresh network namespace, with lo up, that the calling thread is in for as long as the fixture lives.
// Without root the test that wants one fails and says so; it is never passed over.
//
//     TEST_CASE_METHOD(NetnsFixture, "a route that ...", "[kernel][netlink]")
class NetnsFixture {
public:
    NetnsFixture();
    NetnsFixture(const NetnsFixture&) = delete;
    NetnsFixture& operator=(const NetnsFixture&) = delete;
    ~NetnsFixture();

    // Runs a shell command as an admin would ("ip route add ..."), in this namespace; fails the test when it
    // does not succeed.
    void run(const std::string& command) const;
    // What the command prints.
    std::string output(const std::string& command) const;

    // An interface that is up and has carrier: one end of a veth pair whose other end, `name`-far, is
    // up too. `addresses` as `ip address add` takes them.
    netlink::IfIndex add_uplink(const std::string& name, const std::vector<std::string>& addresses);

    netlink::IfIndex index_of(const std::string& name);
    netlink::Link link_of(const std::string& name);

    netlink::Socket& socket() { return socket_; }

private:
    // Members in this order: the socket belongs to the namespace that was entered before it.
    netlink::NetNamespace before_;
    netlink::Socket socket_;
};

// Another namespace, which nobody is in, for the far end of a veth. It lives as long as this does.
netlink::NetNamespace another_netns();

// Calls `inside` with the thread in `netns`, and comes back.
template <class Inside>
auto in_netns(const netlink::NetNamespace& netns, Inside&& inside)
{
    struct Return {
        netlink::NetNamespace home;
        ~Return() { (void)home.enter(); } // it was left a moment ago, with the same privileges
    };
    const Return back{netlink::NetNamespace::current().value()};
    netns.enter().value();
    return inside();
}

} // namespace routelet::test
