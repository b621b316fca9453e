#include "cni/host_ports.h"

#include "cni/attachment.h"
#include "cni/error.h"
#include "cni/host_port_table.h"
#include "cni/reservations.h"
#include "cni/state_directory.h"
#include "netlink/address.h"
#include "netlink/conntrack.h"
#include "netlink/link.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>

namespace routelet::cni {
namespace {

namespace errc = boost::system::errc;
using Records = std::vector<HostPortRecord>;

constexpr std::size_t record_limit = 1U << 20U; // bytes; thousands of ports

std::string file_of(const AttachmentId& id)
{
    return id.container + ":" + id.interface; // neither part holds a ':'
}

// In the order of the attachments. What is no record is moved out of the way.
Result<Records> read_records(const StateDirectory& state, const Report& report)
{
    const Result<std::vector<std::string>> names = state.list();
    if (!names)
        return names.error();
    Records records;
    for (const std::string& name : *names) {
        const std::optional<AttachmentId> id = attachment_of_index(name);
        if (!id)
            continue; // the lock
        const Result<std::optional<std::string>> text = state.read(name, record_limit);
        if (!text)
            return text.error();
        if (auto record = parse_record(*id, text->value_or(""))) {
            records.push_back(std::move(*record));
            continue;
        }
        const Result<std::string> aside = state.set_aside(name);
        if (!aside)
            return aside.error();
        report(LogLine(LogLevel::warn, "state-damaged")
                   .with("file", *aside)
                   .with("detail", "it should name the ports of the node that lead to container " +
                                       id->container + ", which are closed now")
                   .with("remedy", "delete that pod, so that it is made anew"));
    }
    std::ranges::sort(records, {}, &HostPortRecord::id);
    return records;
}

Result<> admit_loopback_from_link(netlink::Socket& host, const std::string& name)
{
    const auto link = netlink::find_link(host, name);
    if (!link)
        return link.error();
    // One that is gone has no pod behind it. What is on is not written again: the kernel announces each time,
    // and the agent plans anew.
    if (!link->has_value() || (*link)->routes_localnet)
        return {};
    return host.execute(netlink::route_localnet((*link)->index));
}

// After the table, whose guard keeps out what the setting would let in. Without it pods are reached as
// before, but not by 127.0.0.1.
void admit_loopback_from(netlink::Socket& host, const Records& records, const Report& report)
{
    std::set<std::string> links;
    for (const HostPortRecord& record : records)
        links.insert(record.link);
    for (const std::string& link : links)
        if (auto admitted = admit_loopback_from_link(host, link); !admitted)
            report(LogLine(LogLevel::warn, "host-port-localhost-failed")
                       .with("link", link)
                       .with("error", admitted.error().text()));
}

// Whether it has no interface on the node, and is not just about to have one: then nobody waits for its
// packets.
Result<bool> is_gone(netlink::Socket& host, const StateDirectory& state, const AttachmentId& id)
{
    constexpr std::chrono::seconds longest_add{60};
    if (state.age(file_of(id)).value_or(longest_add) < longest_add)
        return false;
    const auto link = netlink::find_link(host, host_interface_name(id));
    if (!link)
        return link.error();
    return !link->has_value() || (*link)->alias != host_interface_alias(id);
}

const HostPort* find_clash(const HostPortRecord& record, const HostPortRecord& other)
{
    for (const HostPort& port : record.ports)
        if (std::ranges::any_of(other.ports, [&](const HostPort& taken) { return taken.clashes_with(port); }))
            return &port;
    return nullptr;
}

// Leaves those of `others` that the new one can be beside.
Result<> make_way(netlink::Socket& host, const StateDirectory& state, const HostPortRecord& record,
                  Records& others, const Report& report)
{
    for (auto other = others.begin(); other != others.end();) {
        const HostPort* clash = find_clash(record, *other);
        if (clash == nullptr) {
            ++other;
            continue;
        }
        const Result<bool> gone = is_gone(host, state, other->id);
        if (!gone)
            return gone.error();
        if (!*gone)
            return failure(ErrorCode::host_port_taken,
                           "port " + clash->to_string() + " of this node is taken by " + other->owner() +
                               "; give the pods different hostPorts, or keep them on different nodes");
        if (auto removed = state.remove(file_of(other->id)); !removed)
            return removed;
        report(LogLine(LogLevel::warn, "host-port-taken-over")
                   .with("port", clash->to_string())
                   .with("from", other->owner())
                   .with("detail", "its pod is gone, though the runtime never said so"));
        other = others.erase(other);
    }
    return {};
}

// Two of one pod would be two elements with one key.
Result<> refuse_double(const HostPortRecord& record)
{
    for (auto port = record.ports.begin(); port != record.ports.end(); ++port)
        if (std::any_of(port + 1, record.ports.end(),
                        [&](const HostPort& other) { return other.clashes_with(*port); }))
            return failure(ErrorCode::invalid_config, "\"portMappings\" has " + port->to_string() + " twice");
    return {};
}

// The connections of UDP to this port.
Result<> forget_udp_of(netlink::Socket& netfilter, const HostPort& port,
                       const std::vector<netlink::InterfaceAddress>& addresses)
{
    const auto found = netlink::list_connections(
        netfilter,
        {.family = port.host.family(),
         .protocol = port.protocol,
         .original_destination_port = port.host_port},
        [&](const netlink::Connection& connection) {
            const IpAddress& to = connection.original.destination;
            const auto is_ours = std::ranges::find(addresses, to, &netlink::InterfaceAddress::address);
            return port.host.is_unspecified() ? is_ours != addresses.end() : to == port.host;
        });
    if (!found)
        return found.error();
    const auto forgotten = netlink::forget_connections(netfilter, *found);
    return forgotten ? Result<>() : forgotten.error();
}

} // namespace

HostPorts::HostPorts(std::filesystem::path directory, Report report, std::chrono::milliseconds patience)
    : directory_(std::move(directory)), report_(std::move(report)), patience_(patience),
      netfilter_(
          {.what = "hostPort",
           .modules = "nf_tables, nft_chain_nat, nft_nat, nft_masq and nft_fib_inet",
           .alternative = "leave host ports to the plugin portmap (routelet run --host-ports portmap)"})
{
}

Result<> HostPorts::write_table(const Records& records)
{
    const auto socket = netfilter_.socket();
    if (!socket)
        return socket.error();
    return netfilter_.explained(
        (*socket)->execute_atomically(netlink::replace_table(host_port_table(records))));
}

// By what is different; all of it where that is not possible, because somebody changed the table, or there is
// none yet.
Result<> HostPorts::change_table(const Records& before, const Records& after)
{
    const auto socket = netfilter_.socket();
    if (!socket)
        return socket.error();
    if ((*socket)->execute_atomically(change_host_port_table(before, after)))
        return {};
    return write_table(after);
}

Result<std::string> HostPorts::difference_of(const Records& records)
{
    const auto socket = netfilter_.socket();
    if (!socket)
        return socket.error();
    if (records.empty()) { // as when there was none yet
        const Result<bool> is_there = netlink::has_table(**socket, host_port_table_name);
        if (!is_there)
            return netfilter_.explained(is_there.error());
        if (!*is_there)
            return std::string{};
    }
    Result<std::string> difference = netlink::difference_of_table(**socket, host_port_table(records));
    if (!difference)
        return netfilter_.explained(difference.error());
    return difference;
}

// What a client's packets of before would go on to have done to them. No pod waits for it, and none stays.
void HostPorts::forget_udp(netlink::Socket& host, const std::vector<HostPort>& ports)
{
    const auto is_udp = [](const HostPort& port) { return port.protocol == IPPROTO_UDP; };
    if (std::ranges::none_of(ports, is_udp) || netlink::count_connections() == 0)
        return;
    const auto addresses = netlink::list_addresses(host);
    const auto socket = netfilter_.socket();
    Result<> forgotten = !addresses ? Result<>(addresses.error())
                         : !socket  ? Result<>(socket.error())
                                    : Result<>();
    for (const HostPort& port : ports)
        if (forgotten && is_udp(port))
            forgotten = forget_udp_of(**socket, port, *addresses);
    if (!forgotten)
        report_(
            LogLine(LogLevel::warn, "host-port-connections-kept").with("error", forgotten.error().text()));
}

Result<> HostPorts::claim(netlink::Socket& host, const HostPortRecord& record)
{
    if (record.ports.empty())
        return {};
    if (auto single = refuse_double(record); !single)
        return single;
    const Result<StateDirectory> state = StateDirectory::open(directory_, patience_);
    if (!state)
        return state.error();
    Result<Records> records = read_records(*state, report_);
    if (!records)
        return records.error();
    // Of a killed ADD nobody knows whether its ports came into the table: if so, the change below fails.
    std::erase_if(*records, [&](const HostPortRecord& other) { return other.id == record.id; });
    const Records before = *records;
    if (auto made = make_way(host, *state, record, *records, report_); !made)
        return made;
    if (auto written = state->write(file_of(record.id), record_text(record)); !written)
        return written;

    records->push_back(record);
    std::ranges::sort(*records, {}, &HostPortRecord::id);
    if (auto written = change_table(before, *records); !written) {
        (void)state->remove(file_of(record.id)); // the failure that led here is the one to tell
        (void)change_table(*records, before);
        return written;
    }
    forget_udp(host, record.ports);
    return {};
}

void HostPorts::admit_loopback(netlink::Socket& host, const HostPortRecord& record) const
{
    if (!record.ports.empty())
        admit_loopback_from(host, {record}, report_);
}

Result<> HostPorts::release(netlink::Socket& host, const AttachmentId& id)
{
    // As a rule a pod has none. What cannot be read is looked for with the lock.
    if (const auto text = read_unlocked(directory_ / file_of(id)); text && !text->has_value())
        return {};
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_, patience_);
    if (!state)
        return state.error();
    if (!state->has_value())
        return {};
    Result<Records> records = read_records(**state, report_);
    if (!records)
        return records.error();
    const auto own = std::ranges::find(*records, id, &HostPortRecord::id);
    if (own == records->end())
        return {};
    const Records before = *records;
    const std::vector<HostPort> ports = own->ports;
    records->erase(own);
    if (auto written = change_table(before, *records); !written)
        return written;
    forget_udp(host, ports);
    return (*state)->remove(file_of(id)); // last, so that a kill before this leaves the way back
}

Result<std::string> HostPorts::repair(netlink::Socket& host)
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_, patience_);
    if (!state)
        return state.error();
    if (!state->has_value())
        return std::string{};
    const Result<Records> records = read_records(**state, report_);
    if (!records)
        return records.error();
    Result<std::string> difference = difference_of(*records);
    if (!difference)
        return difference;
    if (!difference->empty())
        if (auto written = write_table(*records); !written)
            return written.error();
    admit_loopback_from(host, *records, report_);
    return difference;
}

Result<std::string> HostPorts::difference(const HostPortRecord& record)
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_, patience_);
    if (!state)
        return state.error();
    const Result<Records> records =
        state->has_value() ? read_records(**state, report_) : Result<Records>(Records{});
    if (!records)
        return records.error();
    const auto own = std::ranges::find(*records, record.id, &HostPortRecord::id);
    if (own == records->end())
        return std::string("its record is missing");
    if (own->ports != record.ports)
        return std::string("its record has others");
    return difference_of(*records);
}

Result<std::vector<AttachmentId>> HostPorts::attachments(std::string_view network,
                                                         std::chrono::seconds at_least) const
{
    std::vector<AttachmentId> found;
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_, patience_);
    if (!state)
        return state.error();
    if (!state->has_value())
        return found;
    const Result<Records> records = read_records(**state, report_);
    if (!records)
        return records.error();
    for (const HostPortRecord& record : *records)
        if (record.network == network && (*state)->age(file_of(record.id)) >= at_least)
            found.push_back(record.id);
    return found;
}

} // namespace routelet::cni
