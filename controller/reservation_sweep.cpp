#include "controller/reservation_sweep.h"

#include "cni/error.h"
#include "cni/sweep.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace asio = boost::asio;

namespace routelet::controller {

asio::awaitable<void> ReservationSweep::run(asio::io_context& io)
{
    asio::steady_timer timer(io);
    for (;;) {
        look(Clock::now());
        timer.expires_after(options_.interval);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void ReservationSweep::look(Clock::time_point now)
{
    Result<netlink::Socket> host = netlink::Socket::open();
    const Result<> looked = host ? look_at(*host, now) : Result<>(host.error());
    failed_ = looked ? std::optional<Error>{} : looked.error();
    looked_at_ = now;
}

Result<> ReservationSweep::look_at(netlink::Socket& host, Clock::time_point now)
{
    const Result<cni::Presence> presence = cni::look_for_abandoned(host, options_.folder);
    if (!presence)
        return presence.error();
    note_abandoned(presence->abandoned, now);
    cut_off_namespaces_ = presence->cut_off_namespaces;
    return cut_off_namespaces_ == 0 ? free_due(host, now) : Result<>{};
}

// Who was seen with an interface in between begins anew.
void ReservationSweep::note_abandoned(const std::vector<cni::AttachmentId>& abandoned, Clock::time_point now)
{
    std::map<cni::AttachmentId, Clock::time_point> since;
    for (const cni::AttachmentId& id : abandoned) {
        const auto before = abandoned_since_.find(id);
        since.emplace(id, before == abandoned_since_.end() ? now : before->second);
    }
    abandoned_since_ = std::move(since);
}

Result<> ReservationSweep::free_due(netlink::Socket& host, Clock::time_point now)
{
    cni::HostPorts ports(
        options_.host_ports, [this](const LogLine& line) { log_.write(line); }, std::chrono::milliseconds(0));
    for (auto entry = abandoned_since_.begin(); entry != abandoned_since_.end();) {
        const auto [id, since] = *entry++;
        if (now - since < options_.grace)
            continue;
        const auto freed = cni::free_abandoned(host, options_.folder, ports, id, options_.grace);
        if (!freed && cni::has_code(freed.error(), cni::ErrorCode::try_again_later))
            return {}; // the plugin is at work; the next look is soon enough
        if (!freed)
            return freed.error();
        for (const IpAddress& address : *freed)
            log_.write(
                LogLine(LogLevel::warn, "reservation-freed")
                    .with("address", address)
                    .with("container", id.container)
                    .with("interface", id.interface)
                    .with("absent_s", std::chrono::duration_cast<std::chrono::seconds>(now - since).count()));
        if (!freed->empty())
            abandoned_since_.erase(id);
    }
    return {};
}

std::vector<Finding> ReservationSweep::findings() const
{
    if (failed_)
        return {
            {"reservations-unchecked",
             "the addresses given out in " + options_.folder.string() +
                 " cannot be compared with the pods that there are: " + failed_->text(),
             "mount the state folder writable, or as the error says; the runtime's own DELs free addresses "
             "meanwhile"}};
    const auto seen_twice = std::ranges::count_if(
        abandoned_since_, [this](const auto& entry) { return entry.second < looked_at_; });
    if (seen_twice == 0)
        return {};
    std::string detail =
        std::to_string(seen_twice) +
        " attachments have addresses and no interface: the runtime did not have them deleted. ";
    detail +=
        cut_off_namespaces_ == 0
            ? "They are freed after " + std::to_string(options_.grace.count()) + " s"
            : "They are kept while " + std::to_string(cut_off_namespaces_) +
                  " network namespaces have no interface on the node, one of which may be a living pod's";
    return {{"reservations-abandoned", detail,
             "look in the runtime's log for failed DELs; delete pods whose interface was removed by hand"}};
}

} // namespace routelet::controller
