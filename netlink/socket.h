#pragma once
#include "netlink/message.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

struct mnl_socket;

namespace routelet::netlink {

// A netlink socket of the network namespace that the calling thread was in at open(): NETLINK_ROUTE
// (rtnetlink(7)) unless it says otherwise. Not thread-safe: one socket, one thread. Calls block for as long
// as the kernel works, which is microseconds per request: the kernel executes rtnetlink requests inside
// sendmsg(). Errors carry the kernel's errno and its extended-ack text when it sent one. Only messages from
// the kernel itself (nl_pid 0) are believed.
class Socket {
public:
    static Result<Socket> open();
    // NETLINK_NETFILTER. Fails with protocol_not_supported where the kernel has no nfnetlink.
    static Result<Socket> open_netfilter();

    int fd() const noexcept; // the socket's own, for as long as it lives

    // By which notifications tell whose request caused them (nlmsghdr's nlmsg_pid); no process id.
    std::uint32_t port() const noexcept;

    // Sends one request and waits for the kernel's acknowledgement.
    Result<> execute(const Request& request);

    // Sends many, several hundred at a time, and returns a result for each, in order. All are attempted:
    // the kernel goes on after one that fails. An answer that got lost is reported as timed_out; the change
    // may have been made all the same, so read back before believing it was not.
    std::vector<Result<>> execute_all(std::span<const Request> requests);

    // nfnetlink only: all of them or none (NFNL_MSG_BATCH_BEGIN, linux/netfilter/nfnetlink.h), whatever
    // their number. Fails with the error of the first that the kernel refused, about that request.
    Result<> execute_atomically(std::span<const Request> requests);
    // The same if the rules are still those that had this number (rules_generation()), and else none: fails
    // with resource_unavailable_try_again.
    Result<> execute_atomically(std::span<const Request> requests, std::uint32_t generation);

    // Sends one request (without NLM_F_DUMP) and hands the one object it answers with to `take`.
    Result<> get(const Request& request, const std::function<void(const Message&)>& take);

    // Asks for a dump and hands every message to `take`. A dump that the kernel says was interrupted
    // (NLM_F_DUMP_INTR) is asked again, a bounded number of times, after `restart`: what `take` collected
    // until then is to be forgotten. Fails with `interrupted` when it never came through in one piece.
    // A dump is not a snapshot: a route that is missing from it may exist (IPv6, under churn).
    Result<> dump(const Request& request, const std::function<void()>& restart,
                  const std::function<void(const Message&)>& take);

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept;
    };
    enum class Reading { whole, interrupted };

    explicit Socket(mnl_socket* socket) : socket_(socket) {}
    static Result<Socket> open(int protocol);
    Result<> send(std::span<const std::uint8_t> bytes) const;
    Result<> execute_as_one(std::span<const Request> requests, const Request& beginning);
    void execute_batch(std::span<const Request> requests, std::span<Result<>> results);
    bool await_answers(const std::function<bool(std::uint32_t sequence, const Result<>& answer)>& take);
    Result<Reading> converse(const Request& request, std::uint16_t flags,
                             const std::function<void(const Message&)>& take);
    Result<std::span<const std::uint8_t>> receive_datagram(int flags) const;

    std::unique_ptr<mnl_socket, Close> socket_;
    std::uint32_t sequence_ = 0;             // 0 marks kernel events, so requests count from 1
    std::unique_ptr<std::uint8_t[]> buffer_; // datagram_limit bytes
};

} // namespace routelet::netlink
