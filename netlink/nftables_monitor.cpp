#include "netlink/nftables_monitor.h"

#include "netlink/attributes.h"
#include "netlink/datagram.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstring>

namespace routelet::netlink {
namespace {

// Some 10,000 notifications of elements. What does not fit costs one reading of our own table.
constexpr int receive_buffer = 4 * 1024 * 1024; // bytes
// A writer that is faster than we read must not hold us for ever: what is left comes with the next read.
constexpr int datagrams_at_a_time = 4096;

// What a transaction's last notification says of its maker.
std::string describe_maker(std::span<const std::uint8_t> payload)
{
    const auto attributes = Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
    std::string name;
    std::uint32_t pid = 0; // in network order
    if (!attributes || !attributes->read(NFTA_GEN_PROC_NAME, name) ||
        !attributes->read(NFTA_GEN_PROC_PID, pid) || name.empty())
        return {};
    return name + " (pid " + std::to_string(ntohl(pid)) + ")";
}

} // namespace

void NftMonitor::Close::operator()(mnl_socket* socket) const noexcept
{
    (void)mnl_socket_close(socket); // a netlink socket has nothing to flush
}

Result<NftMonitor> NftMonitor::open(std::string table, std::vector<NftFamily> families)
{
    NftMonitor opened(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK), std::move(table),
                      std::move(families));
    if (opened.socket_ == nullptr)
        return last_errno("opening a netfilter socket for notifications");
    enlarge_receive_buffer(opened.fd(), receive_buffer);
    if (mnl_socket_bind(opened.socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0)
        return last_errno("binding a netfilter socket for notifications");
    int group = NFNLGRP_NFTABLES;
    if (mnl_socket_setsockopt(opened.socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        return last_errno("subscribing to nftables notifications");
    opened.buffer_.resize(datagram_limit);
    return opened;
}

int NftMonitor::fd() const noexcept
{
    return mnl_socket_get_fd(socket_.get());
}

bool NftMonitor::is_about_ours(std::span<const std::uint8_t> payload) const
{
    // Of each kind of object the table's name is the first attribute, with the number 1.
    constexpr std::size_t name_at = sizeof(nfgenmsg) + sizeof(nlattr);
    if (payload.size() < name_at + table_.size() + 1)
        return false;
    const auto family = static_cast<NftFamily>(read_header<nfgenmsg>(payload)->nfgen_family);
    const auto attribute = *read_header<nlattr>(payload.subspan(sizeof(nfgenmsg)));
    return std::ranges::find(families_, family) != families_.end() && attribute.nla_type == NFTA_TABLE_NAME &&
           attribute.nla_len == sizeof(nlattr) + table_.size() + 1 &&
           std::memcmp(payload.data() + name_at, table_.data(), table_.size()) == 0;
}

// A transaction's notifications may come in several datagrams; its last one says who made it.
void NftMonitor::add_news(NftNews& news, std::uint16_t type, std::span<const std::uint8_t> payload)
{
    if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
        touched_ = touched_ || is_about_ours(payload);
    } else if (touched_) {
        touched_ = false;
        news.changed = true;
        news.by = describe_maker(payload);
    }
}

Result<NftNews> NftMonitor::read(std::uint32_t ours)
{
    NftNews news;
    int datagrams = 0;
    const auto done = read_notifications(
        fd(), buffer_, [&] { return datagrams++ < datagrams_at_a_time; },
        [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
            if (header.nlmsg_pid != ours)
                add_news(news, header.nlmsg_type, payload);
        },
        [&] { news.overrun = true; });
    if (!done)
        return done.error();
    return news;
}

} // namespace routelet::netlink
