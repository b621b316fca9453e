#pragma once
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/netns.h"
#include "netlink/route.h"
#include "netlink/socket.h"

#include <string>
#include <string_view>
#include <vector>

namespace routelet::test {

// What admins and other daemons do to a machine's network, as ip(8) would, but thousands of times a second.
// The kernel may refuse any of it: then it has not happened.
class NetworkByHand {
public:
    // In the namespace that the thread is in.
    NetworkByHand();

    // A veth pair with both ends up; the other is `name`-far.
    void add_link(const std::string& name);
    void add_bridge(const std::string& name);
    void delete_link(const std::string& name);
    void set_up(const std::string& name, bool up);
    void rename(const std::string& name, const std::string& new_name);
    // 0 when there is none of that name.
    netlink::IfIndex index_of(const std::string& name);

    // "192.168.1.11/24"
    void add_address(const std::string& link, const std::string& address);
    void delete_address(const std::string& link, const std::string& address);
    bool has_address(const std::string& link, const std::string& address);

    // As the words of ip-route(8).
    enum class Manner { add, replace, append, prepend };
    void set_route(Manner manner, const netlink::Route& route);
    void set_multipath(const netlink::Route& route, const std::vector<IpAddress>& gateways);
    void delete_route(const netlink::Route& route);
    std::vector<netlink::Route> routes();

    netlink::Socket& socket() noexcept { return socket_; }

private:
    bool tried(const netlink::Request& request);

    netlink::Socket socket_;
    netlink::NetNamespace here_;
    std::uint8_t links_made_ = 0;
};

} // namespace routelet::test
