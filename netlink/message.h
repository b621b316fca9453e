#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <boost/container/small_vector.hpp>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace routelet::netlink {

// A network interface's number; valid in one network namespace only, and only until the link is deleted.
// 0 means "none".
enum class IfIndex : int {};

inline constexpr IfIndex loopback{1}; // in every namespace (LOOPBACK_IFINDEX)

constexpr int to_int(IfIndex index) noexcept
{
    return static_cast<int>(index);
}

// A request to the kernel (linux/netlink.h): header, the family's own header, attributes. The shape of the
// code that builds one is the shape of the message:
//
//     Request link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
//     link.put(IFLA_IFNAME, "v-net-0");
//     link.nest(IFLA_LINKINFO, [&] { link.put(IFLA_INFO_KIND, "bridge"); });
//
// An attribute that does not fit marks the request, and sending it fails with no_buffer_space; nothing is
// ever truncated. NLM_F_REQUEST and the sequence number are the socket's business.
class Request {
public:
    // `header` is the family's fixed header: ifinfomsg, rtmsg, ifaddrmsg, ndmsg, nfgenmsg.
    template <class Header>
    Request(std::uint16_t type, std::uint16_t flags, const Header& header) : Request(type, flags)
    {
        put_header(header);
    }

    // "adding route 10.244.1.0/24": the context of every error that this request meets.
    Request& about(std::string what)
    {
        about_ = std::move(what);
        subject_.reset();
        return *this;
    }
    // The same in two parts, put together only when somebody asks: most requests succeed.
    Request& about(const char* verb, const IpPrefix& subject)
    {
        about_ = verb;
        subject_ = subject;
        return *this;
    }

    void put(std::uint16_t attribute,
             std::string_view text); // with the terminating zero that the kernel expects
    void put(std::uint16_t attribute, const IpAddress& address);
    void put(std::uint16_t attribute, std::span<const std::uint8_t> bytes);
    void put(std::uint16_t attribute, IfIndex index)
    {
        put_u32(attribute, static_cast<std::uint32_t>(to_int(index)));
    }
    void put_u8(std::uint16_t attribute, std::uint8_t value);
    void put_u16(std::uint16_t attribute, std::uint16_t value);
    void put_u32(std::uint16_t attribute, std::uint32_t value);
    void put_be32(std::uint16_t attribute,
                  std::uint32_t value); // network order, as nf_tables has its numbers

    // A fixed header inside an attribute, as VETH_INFO_PEER has one.
    template <class Header>
    void put_header(const Header& header)
    {
        static_assert(std::is_trivially_copyable_v<Header>);
        put_raw(&header, sizeof header);
    }

    // Attributes as they are, one behind the other, each filled up to 4 bytes.
    void put_attributes(std::span<const std::uint8_t> bytes) { put_raw(bytes.data(), bytes.size()); }

    // Everything that `inside` puts becomes the content of `attribute`.
    template <class Inside>
    void nest(std::uint16_t attribute, Inside&& inside)
    {
        const std::size_t start = begin_nest(attribute);
        inside();
        end_nest(start);
    }

    std::string what() const { return subject_ ? about_ + subject_->to_string() : about_; }
    std::uint16_t type() const noexcept;
    bool overflowed() const noexcept { return overflowed_; }
    std::span<const std::uint8_t> bytes() const noexcept { return {buffer_.data(), buffer_.size()}; }

private:
    friend class Socket;

    Request(std::uint16_t type, std::uint16_t flags);
    void put_raw(const void* data, std::size_t size);
    std::size_t begin_nest(std::uint16_t attribute);
    void end_nest(std::size_t start);

    static constexpr std::size_t usual_size = 96; // bytes; a route of IPv6 has 92

    // nlmsghdr first; its nlmsg_len is always right.
    boost::container::small_vector<std::uint8_t, usual_size> buffer_;
    std::string about_;
    std::optional<IpPrefix> subject_;
    bool overflowed_ = false;
};

// One message from the kernel: its header and what follows, in the buffer it was received in.
struct Message {
    std::uint16_t type = 0;                // RTM_NEWROUTE ...
    std::uint16_t flags = 0;               // NLM_F_REPLACE ...
    std::span<const std::uint8_t> payload; // the family's header and the attributes
};

} // namespace routelet::netlink
