// The least that attaching a pod can cost: the netlink messages of routelet-cni's ADD and nothing else, as a
// process of its own that is called as a CNI plugin is. It allocates no address, reads no configuration,
// checks nothing, and prints nothing; what a plugin takes longer is its own.
//
// Usage: routelet-bench-bare BRIDGE IPV4 [IPV6]
//
// The addresses have /24 and /64, and the first of their networks is the gateway. CNI_COMMAND, CNI_NETNS and
// CNI_IFNAME are read; the host's end is named "bare0", so one pod at a time. Exit status: 0 only when the
// kernel did all.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr const char* host_name = "bare0";
constexpr std::array<unsigned char, 6> host_mac = {0x0a, 0x59, 0, 0, 0, 1};

struct Address {
    int family = AF_INET;
    std::array<unsigned char, 16> bytes{};
    unsigned size = 4;
    unsigned char length = 24;

    Address gateway() const
    {
        Address first = *this;
        std::memset(&first.bytes[length / 8], 0, size - length / 8);
        first.bytes[size - 1] = 1;
        return first;
    }
};

[[noreturn]] void fail(const char* what)
{
    std::perror(what);
    ::_exit(1);
}

// Messages that travel together, an answer asked for each.
class Batch {
public:
    template <class Header>
    void begin(unsigned type, unsigned flags, const Header& header)
    {
        message_ = size_;
        const nlmsghdr head{.nlmsg_len = sizeof(nlmsghdr) + sizeof header,
                            .nlmsg_type = static_cast<unsigned short>(type),
                            .nlmsg_flags = static_cast<unsigned short>(NLM_F_REQUEST | NLM_F_ACK | flags),
                            .nlmsg_seq = ++messages_,
                            .nlmsg_pid = 0};
        append(&head, sizeof head);
        append(&header, sizeof header);
    }
    void put(unsigned type, const void* value, std::size_t size)
    {
        const std::size_t at = open(type);
        append(value, size);
        close(at);
    }
    void put(unsigned type, std::uint32_t value) { put(type, &value, sizeof value); }
    void put(unsigned type, const char* text) { put(type, text, std::strlen(text) + 1); }
    void put(unsigned type, const Address& address) { put(type, address.bytes.data(), address.size); }
    std::size_t open(unsigned type)
    {
        const std::size_t at = size_;
        const rtattr head{.rta_len = 0, .rta_type = static_cast<unsigned short>(type)};
        append(&head, sizeof head);
        return at;
    }
    void close(std::size_t at)
    {
        reinterpret_cast<rtattr*>(&bytes_[at])->rta_len = static_cast<unsigned short>(size_ - at);
        size_ = NLMSG_ALIGN(size_);
        reinterpret_cast<nlmsghdr*>(&bytes_[message_])->nlmsg_len =
            static_cast<std::uint32_t>(size_ - message_);
    }
    template <class Header>
    void append_header(const Header& header)
    {
        append(&header, sizeof header);
    }

    // All must be done.
    void execute(int socket)
    {
        if (::send(socket, bytes_.data(), size_, 0) < 0)
            fail("send");
        for (unsigned answered = 0; answered < messages_;) {
            alignas(nlmsghdr) std::array<unsigned char, 8192> answer{};
            ssize_t left = ::recv(socket, answer.data(), answer.size(), 0);
            if (left < 0)
                fail("recv");
            for (const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
                 NLMSG_OK(header, left); header = NLMSG_NEXT(header, left), ++answered) {
                const auto* const error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
                if (header->nlmsg_type == NLMSG_ERROR && error->error != 0) {
                    errno = -error->error;
                    fail("the kernel");
                }
            }
        }
        *this = Batch();
    }

private:
    void append(const void* data, std::size_t size)
    {
        std::memcpy(&bytes_[size_], data, size);
        size_ += size;
    }

    alignas(nlmsghdr) std::array<unsigned char, 2048> bytes_{};
    std::size_t size_ = 0;
    std::size_t message_ = 0;
    std::uint32_t messages_ = 0;
};

ifinfomsg link_header(int index, unsigned flags)
{
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = header.ifi_change = flags;
    return header;
}

int open_socket()
{
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (socket < 0)
        fail("socket");
    return socket;
}

void make_pair(int socket, int bridge, const char* pod_name, const unsigned char* pod_mac, int netns)
{
    Batch batch;
    batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_header(0, 0));
    batch.put(IFLA_IFNAME, host_name);
    batch.put(IFLA_ADDRESS, host_mac.data(), host_mac.size());
    batch.put(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
    batch.put(IFLA_NUM_TX_QUEUES, 1U);
    batch.put(IFLA_NUM_RX_QUEUES, 1U);
    const std::size_t info = batch.open(IFLA_LINKINFO);
    batch.put(IFLA_INFO_KIND, "veth");
    const std::size_t data = batch.open(IFLA_INFO_DATA);
    const std::size_t peer = batch.open(VETH_INFO_PEER);
    batch.append_header(link_header(0, 0));
    batch.put(IFLA_IFNAME, pod_name);
    batch.put(IFLA_ADDRESS, pod_mac, 6);
    batch.put(IFLA_NUM_TX_QUEUES, 1U);
    batch.put(IFLA_NUM_RX_QUEUES, 1U);
    batch.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
    batch.close(peer);
    batch.close(data);
    batch.close(info);
    batch.execute(socket);
}

void set_up_pod(int socket, int link, const Address* addresses, int count)
{
    Batch batch;
    for (const Address* address = addresses; address < addresses + count; ++address) {
        ifaddrmsg header{};
        header.ifa_family = static_cast<unsigned char>(address->family);
        header.ifa_prefixlen = address->length;
        header.ifa_flags = IFA_F_NODAD;
        header.ifa_index = static_cast<unsigned>(link);
        batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header);
        batch.put(IFA_LOCAL, *address);
        batch.put(IFA_ADDRESS, *address);
    }
    batch.begin(RTM_NEWLINK, 0, link_header(link, IFF_UP));
    for (const Address* address = addresses; address < addresses + count; ++address) {
        rtmsg header{};
        header.rtm_family = static_cast<unsigned char>(address->family);
        header.rtm_table = RT_TABLE_MAIN;
        header.rtm_protocol = RTPROT_STATIC;
        header.rtm_type = RTN_UNICAST;
        batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
        batch.put(RTA_GATEWAY, address->gateway());
        batch.put(RTA_OIF, static_cast<std::uint32_t>(link));
    }
    batch.execute(socket);
}

void set_up_host(int socket, int bridge, int link, const unsigned char* pod_mac, const Address* addresses,
                 int count)
{
    Batch batch;
    for (const Address* address = addresses; address < addresses + count; ++address) {
        ndmsg header{};
        header.ndm_family = static_cast<unsigned char>(address->family);
        header.ndm_ifindex = bridge;
        header.ndm_state = NUD_STALE;
        batch.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
        batch.put(NDA_DST, *address);
        batch.put(NDA_LLADDR, pod_mac, 6);
    }
    batch.begin(RTM_NEWLINK, 0, link_header(link, IFF_UP));
    batch.put(IFLA_IFALIAS, "bare/eth0", 9);
    const std::size_t info = batch.open(IFLA_LINKINFO);
    batch.put(IFLA_INFO_SLAVE_KIND, "bridge");
    const std::size_t data = batch.open(IFLA_INFO_SLAVE_DATA);
    const unsigned char hairpin = 1;
    batch.put(IFLA_BRPORT_MODE, &hairpin, 1);
    batch.close(data);
    batch.close(info);
    batch.execute(socket);
}

void remove_pair(int socket)
{
    Batch batch;
    batch.begin(RTM_DELLINK, 0, link_header(0, 0));
    batch.put(IFLA_IFNAME, host_name);
    batch.execute(socket);
}

Address parse(const char* text)
{
    Address address;
    if (::inet_pton(AF_INET, text, address.bytes.data()) == 1)
        return address;
    address = {.family = AF_INET6, .size = 16, .length = 64};
    if (::inet_pton(AF_INET6, text, address.bytes.data()) != 1)
        fail(text);
    return address;
}

} // namespace

int main(int argc, char** argv)
{
    const char* const command = std::getenv("CNI_COMMAND");
    const char* const path = std::getenv("CNI_NETNS");
    const char* const pod_name = std::getenv("CNI_IFNAME");
    if (argc < 3 || argc > 4 || command == nullptr || path == nullptr || pod_name == nullptr) {
        std::fputs("usage: CNI_COMMAND=ADD CNI_NETNS=… CNI_IFNAME=… routelet-bench-bare BRIDGE IPV4 [IPV6]\n",
                   stderr);
        return 2;
    }
    const int host = open_socket();
    if (std::strcmp(command, "DEL") == 0) {
        remove_pair(host);
        return 0;
    }
    std::array<Address, 2> addresses{};
    const int count = argc - 2;
    for (int i = 0; i < count; ++i)
        addresses[static_cast<std::size_t>(i)] = parse(argv[i + 2]);
    const auto& v4 = addresses[0].bytes;
    const std::array<unsigned char, 6> pod_mac = {0x0a, 0x58, v4[0], v4[1], v4[2], v4[3]};
    const int bridge = static_cast<int>(::if_nametoindex(argv[1]));
    const int netns = ::open(path, O_RDONLY | O_CLOEXEC);
    if (bridge == 0 || netns < 0)
        fail(bridge == 0 ? argv[1] : path);

    make_pair(host, bridge, pod_name, pod_mac.data(), netns);
    const int link = static_cast<int>(::if_nametoindex(host_name));
    if (::setns(netns, CLONE_NEWNET) != 0)
        fail("setns");
    const int pod = open_socket();
    set_up_pod(pod, static_cast<int>(::if_nametoindex(pod_name)), addresses.data(), count);
    set_up_host(host, bridge, link, pod_mac.data(), addresses.data(), count);
    return 0;
}
