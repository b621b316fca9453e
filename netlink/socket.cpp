#include "netlink/socket.h"

#include "netlink/attributes.h"
#include "netlink/datagram.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace routelet::netlink {
namespace {

constexpr std::size_t batch_messages = 512;
constexpr std::size_t batch_bytes = 65536;      // well inside the default send buffer (net.core.wmem_default)
constexpr int receive_buffer = 4 * 1024 * 1024; // bytes; 512 refusals with their texts need some 0.5 MiB
constexpr timeval answer_timeout{.tv_sec = 10, .tv_usec = 0};
constexpr int dump_attempts = 10;

// Where the attributes of an NLMSG_ERROR begin: behind the request's header, or, when the kernel did not cap
// the copy, behind all of it.
std::size_t error_size(const nlmsghdr& header, std::span<const std::uint8_t> payload)
{
    const auto error = read_header<nlmsgerr>(payload);
    if (!error)
        return payload.size();
    const bool capped = (header.nlmsg_flags & NLM_F_CAPPED) != 0;
    return capped ? sizeof(nlmsgerr) : sizeof(int) + MNL_ALIGN(std::size_t{error->msg.nlmsg_len});
}

// What an NLMSG_ERROR or NLMSG_DONE says: success, or an errno and the kernel's own words (NETLINK_EXT_ACK).
Result<> answer_in(const nlmsghdr& header, std::span<const std::uint8_t> payload)
{
    const int number = read_header<int>(payload).value_or(-EBADMSG);
    if (number == 0)
        return {};
    std::string text;
    if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
        const std::size_t fixed =
            header.nlmsg_type == NLMSG_ERROR ? error_size(header, payload) : sizeof(int);
        if (const auto attributes = Attributes::parse(after_header(payload, fixed)))
            (void)attributes->read(NLMSGERR_ATTR_MSG, text); // a text reads from any bytes
    }
    return Error{{-number, boost::system::system_category()}, std::move(text)};
}

Result<> about(const Request& request, const Result<>& answer)
{
    return answer ? answer : answer.error().within(request.what());
}

Error too_large(const Request& request)
{
    return make_error(boost::system::errc::no_buffer_space, request.what() + ": the request is too large");
}

Error answer_lost(const Request& request)
{
    return make_error(boost::system::errc::timed_out, request.what() + ": the kernel's answer was lost");
}

// The request as it travels: with its flags and its sequence number.
void append(std::vector<std::uint8_t>& bytes, const Request& request, unsigned flags, std::uint32_t sequence)
{
    const auto start = static_cast<std::ptrdiff_t>(bytes.size());
    bytes.insert(bytes.end(), request.bytes().begin(), request.bytes().end());
    nlmsghdr header{};
    std::memcpy(&header, &bytes[start], sizeof header);
    header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags | NLM_F_REQUEST | flags);
    header.nlmsg_seq = sequence;
    std::memcpy(&bytes[start], &header, sizeof header);
}

// How many of the first requests travel together: at least one.
std::size_t batch_size(std::span<const Request> requests)
{
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < std::min(requests.size(), batch_messages)) {
        bytes += requests[count].bytes().size();
        if (count > 0 && bytes > batch_bytes)
            break;
        ++count;
    }
    return count;
}

// Something was lost on the way, and what is still there can be read on.
bool is_loss(const Error& error)
{
    return error.code == boost::system::errc::no_buffer_space ||
           error.code == boost::system::errc::message_size;
}

void set_option(mnl_socket* socket, int option)
{
    int on = 1;
    // Kernels before 4.20 do not know NETLINK_GET_STRICT_CHK: they answer more than was asked for.
    (void)mnl_socket_setsockopt(socket, option, &on, sizeof on);
}

Request batch_message(std::uint16_t type)
{
    nfgenmsg header{};
    header.res_id = htons(NFNL_SUBSYS_NFTABLES);
    return {type, 0, header};
}

} // namespace

void Socket::Close::operator()(mnl_socket* socket) const noexcept
{
    (void)mnl_socket_close(socket); // a netlink socket has nothing to flush
}

Result<Socket> Socket::open()
{
    return open(NETLINK_ROUTE);
}

Result<Socket> Socket::open_netfilter()
{
    return open(NETLINK_NETFILTER);
}

Result<Socket> Socket::open(int protocol)
{
    const std::string what = protocol == NETLINK_ROUTE ? "an rtnetlink socket" : "a netfilter socket";
    Socket opened(mnl_socket_open2(protocol, SOCK_CLOEXEC));
    mnl_socket* const socket = opened.socket_.get();
    if (socket == nullptr)
        return last_errno("opening " + what);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0)
        return last_errno("binding " + what);

    set_option(socket, NETLINK_EXT_ACK);
    set_option(socket, NETLINK_CAP_ACK);
    set_option(socket, NETLINK_GET_STRICT_CHK);
    enlarge_receive_buffer(mnl_socket_get_fd(socket), receive_buffer);
    const int fd = mnl_socket_get_fd(socket);
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof answer_timeout) != 0)
        return last_errno("setting the timeout of " + what);
    // Not cleared: a plugin that lives for a millisecond would spend some of it on pages that nothing is read
    // into.
    opened.buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(datagram_limit);
    return opened;
}

int Socket::fd() const noexcept
{
    return mnl_socket_get_fd(socket_.get());
}

std::uint32_t Socket::port() const noexcept
{
    return mnl_socket_get_portid(socket_.get());
}

Result<> Socket::execute(const Request& request)
{
    return std::move(execute_all({&request, 1}).front());
}

std::vector<Result<>> Socket::execute_all(std::span<const Request> requests)
{
    std::vector<Result<>> results(requests.size());
    for (std::size_t done = 0; done < requests.size();) {
        const std::size_t count = batch_size(requests.subspan(done));
        execute_batch(requests.subspan(done, count), std::span(results).subspan(done, count));
        done += count;
    }
    return results;
}

Result<> Socket::send(std::span<const std::uint8_t> bytes) const
{
    while (mnl_socket_sendto(socket_.get(), bytes.data(), bytes.size()) < 0)
        if (errno != EINTR)
            return last_errno("sending to the kernel");
    return {};
}

// The kernel answers a request that fails, and the last one, which asks for it: it works through them in
// order, so no answer means success once the last one's has come and none was lost.
void Socket::execute_batch(std::span<const Request> requests, std::span<Result<>> results)
{
    const std::uint32_t first = sequence_ + 1;
    sequence_ += static_cast<std::uint32_t>(requests.size());
    std::vector<bool> known(requests.size(), false);
    std::size_t last = requests.size();
    for (std::size_t i = 0; i < requests.size(); ++i) {
        known[i] = requests[i].overflowed();
        if (known[i])
            results[i] = too_large(requests[i]);
        else
            last = i;
    }
    if (last == requests.size())
        return; // not one of them fits

    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i <= last; ++i)
        if (!known[i])
            append(bytes, requests[i], i == last ? NLM_F_ACK : 0U, first + static_cast<std::uint32_t>(i));
    const Result<> sent = send(bytes);

    const bool all_answered = sent && await_answers([&](std::uint32_t sequence, Result<> answer) {
                                  const std::uint32_t i = sequence - first;
                                  if (i >= requests.size())
                                      return false; // late, for a request that was given up
                                  known[i] = true;
                                  results[i] = about(requests[i], answer);
                                  return i == last;
                              });
    for (std::size_t i = 0; i < requests.size() && !all_answered; ++i)
        if (!known[i])
            results[i] = sent ? answer_lost(requests[i]) : sent.error().within(requests[i].what());
}

// Waits until `take` says that this was the last answer. False when some were lost.
bool Socket::await_answers(const std::function<bool(std::uint32_t sequence, const Result<>& answer)>& take)
{
    bool lost = false;
    bool done = false;
    while (lost || !done) {
        const auto datagram = receive_datagram(lost ? MSG_DONTWAIT : 0);
        if (!datagram && !is_loss(datagram.error()))
            return false; // nothing comes any more
        if (!datagram) {
            lost = true;
            continue;
        }
        for_each_message(*datagram, [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
            if (header.nlmsg_type == NLMSG_ERROR)
                done = take(header.nlmsg_seq, answer_in(header, payload)) || done;
        });
    }
    return true;
}

// The kernel takes a batch only from one datagram, and answers the requests in it that fail, in their order,
// and the last one, which asks for it. What fails as a whole (no such subsystem, the commit) is answered as
// the batch's beginning, before anything else.
Result<> Socket::execute_as_one(std::span<const Request> requests, const Request& begin)
{
    if (requests.empty())
        return {};
    const std::uint32_t beginning = sequence_ + 1;
    sequence_ += static_cast<std::uint32_t>(requests.size()) + 2;

    std::vector<std::uint8_t> bytes;
    append(bytes, begin, 0, beginning);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (requests[i].overflowed())
            return too_large(requests[i]);
        const bool is_last = i + 1 == requests.size();
        append(bytes, requests[i], is_last ? NLM_F_ACK : 0U, beginning + 1 + static_cast<std::uint32_t>(i));
    }
    append(bytes, batch_message(NFNL_MSG_BATCH_END), 0, sequence_);
    enlarge_send_buffer(mnl_socket_get_fd(socket_.get()), bytes.size());
    if (const auto sent = send(bytes); !sent)
        return sent.error().within(requests.front().what());

    Result<> first_refusal;
    const bool all_answered = await_answers([&](std::uint32_t sequence, const Result<>& answer) {
        const std::uint32_t number = sequence - beginning; // 0: the batch itself
        if (number > requests.size())
            return false; // late, for a batch that was given up
        if (!answer && first_refusal)
            first_refusal = about(requests[number == 0 ? 0 : number - 1], answer);
        return number == requests.size() || (number == 0 && !answer);
    });
    return all_answered ? first_refusal : answer_lost(requests.front());
}

Result<> Socket::execute_atomically(std::span<const Request> requests)
{
    return execute_as_one(requests, batch_message(NFNL_MSG_BATCH_BEGIN));
}

Result<> Socket::execute_atomically(std::span<const Request> requests, std::uint32_t generation)
{
    Request begin = batch_message(NFNL_MSG_BATCH_BEGIN);
    begin.put_be32(NFNL_BATCH_GENID, generation);
    const Result<> executed = execute_as_one(requests, begin);
    if (!executed && executed.error().code.value() == ERESTART)
        return make_error(boost::system::errc::resource_unavailable_try_again,
                          "nftables' rules were changed meanwhile");
    return executed;
}

Result<> Socket::get(const Request& request, const std::function<void(const Message&)>& take)
{
    const auto reading = converse(request, 0, take);
    if (!reading)
        return reading.error();
    if (*reading == Reading::interrupted)
        return answer_lost(request);
    return {};
}

Result<> Socket::dump(const Request& request, const std::function<void()>& restart,
                      const std::function<void(const Message&)>& take)
{
    for (int attempt = 0; attempt < dump_attempts; ++attempt) {
        if (attempt > 0)
            restart();
        const auto reading = converse(request, NLM_F_DUMP, take);
        if (!reading)
            return reading.error();
        if (*reading == Reading::whole)
            return {};
    }
    return make_error(boost::system::errc::interrupted,
                      request.what() + ": changes kept interrupting the kernel's answer");
}

Result<std::span<const std::uint8_t>> Socket::receive_datagram(int flags) const
{
    return receive(mnl_socket_get_fd(socket_.get()), {buffer_.get(), datagram_limit}, flags);
}

// Sends one request and reads all that it is answered with, up to the message that ends it: NLMSG_DONE ends a
// dump, anything else's answer is one message, an object or NLMSG_ERROR.
Result<Socket::Reading> Socket::converse(const Request& request, std::uint16_t flags,
                                         const std::function<void(const Message&)>& take)
{
    if (request.overflowed())
        return too_large(request);
    const std::uint32_t sequence = ++sequence_;
    std::vector<std::uint8_t> bytes;
    append(bytes, request, flags, sequence);
    if (const auto sent = send(bytes); !sent)
        return sent.error().within(request.what());

    const bool is_dump = flags == NLM_F_DUMP;
    bool lost = false;
    bool interrupted = false;
    std::optional<Result<>> end;
    while (!end) {
        const auto datagram = receive_datagram(lost ? MSG_DONTWAIT : 0);
        if (!datagram && !is_loss(datagram.error()))
            return answer_lost(request);
        if (!datagram) {
            lost = true;
            continue;
        }
        for_each_message(*datagram, [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
            if (header.nlmsg_seq != sequence || end)
                return;
            interrupted = interrupted || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE)
                end = answer_in(header, payload);
            else if (header.nlmsg_type >= NLMSG_MIN_TYPE)
                take({.type = header.nlmsg_type, .flags = header.nlmsg_flags, .payload = payload});
            if (!is_dump)
                end = end.value_or(Result<>());
        });
    }
    if (!*end)
        return about(request, *end).error();
    return lost || interrupted ? Reading::interrupted : Reading::whole;
}

} // namespace routelet::netlink
