#pragma once
#include "base/result.h"
#include "netlink/nftables.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct mnl_socket;

namespace routelet::netlink {

// What the notifications that were read together say of the tables.
struct NftNews {
    bool changed = false; // somebody else changed or deleted something in one, or all of it
    bool overrun = false; // some were lost (ENOBUFS): nobody knows
    std::string by;       // the program that changed it, "nft (pid 4711)"; empty when nobody said
};

// Notifications of nf_tables (NFNLGRP_NFTABLES) about the tables of one name, in the network
// namespace that the calling thread was in at open(). The kernel sends those of all tables; the
// others are passed over after a look at the first attribute, so a kube-proxy that writes thousands of rules
// costs their copying. Not thread-safe. Only messages from the kernel itself (nl_pid 0) are believed.
class NftMonitor {
public:
    // Fails with protocol_not_supported where the kernel has no nfnetlink.
    static Result<NftMonitor> open(std::string table, std::vector<NftFamily> families = {NftFamily::inet});

    // Readable when there is something to read; non-blocking. Owned by the monitor.
    int fd() const noexcept;

    // All that waits now. What the socket with the port `ours` (Socket::port()) caused is no news.
    Result<NftNews> read(std::uint32_t ours);

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept;
    };
    NftMonitor(mnl_socket* socket, std::string table, std::vector<NftFamily> families)
        : socket_(socket), table_(std::move(table)), families_(std::move(families))
    {
    }

    bool is_about_ours(std::span<const std::uint8_t> payload) const;
    void add_news(NftNews& news, std::uint16_t type, std::span<const std::uint8_t> payload);

    std::unique_ptr<mnl_socket, Close> socket_;
    std::string table_;
    std::vector<NftFamily> families_;
    bool touched_ = false; // by a transaction whose last notification has not come yet
    std::vector<std::uint8_t> buffer_;
};

} // namespace routelet::netlink
