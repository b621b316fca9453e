#pragma once
#include "base/result.h"
#include "cni/host_port.h"
#include "cni/netfilter.h"
#include "cni/patience.h"
#include "cni/report.h"
#include "netlink/socket.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// Which pods have which ports of the node, as files in one folder of the node whatever network the pods are
// of, and in the kernel as the table host_port_table() makes of them:
//
//     <id>:<ifname>   the ports of one attachment (record_text())
//     damaged/        files that said nothing, kept for whoever wants to know
//
// The files are the truth: whoever changes one makes the table what follows from all, in one step, with the
// folder's lock, so packets meet the old table or the new one. A record comes before what it stands for, and
// goes after it: whenever a process is killed, release() and repair() find what there is to do.
//
// Connections go on as they began, whatever the table says. Of UDP, where a client that sends on keeps an old
// one alive, those to a port that comes or goes are forgotten, so that the next packet finds the pod that has
// it by then. Not thread-safe.
class HostPorts {
public:
    // Calls fail with try_again_later when another process has the lock for longer than `patience`.
    explicit HostPorts(
        std::filesystem::path directory, Report report = [](const LogLine&) {},
        std::chrono::milliseconds patience = patience_with_others);

    // Gives the attachment these ports, in place of those that it had; none, and nothing is done. A port of
    // an attachment that has had no interface for a minute, and was never released, is taken over. Fails with
    // host_port_taken, naming who has it, and when the kernel has no nf_tables; the attachment has none then.
    Result<> claim(netlink::Socket& host, const HostPortRecord& record);

    // Lets the node itself reach the ports by 127.0.0.1, once the record's link is there.
    void admit_loopback(netlink::Socket& host, const HostPortRecord& record) const;

    // Takes all ports of the attachment back; having none is success, at the cost of one look for its file.
    Result<> release(netlink::Socket& host, const AttachmentId& id);

    // For a process that ends soon: it does not wait for what release() took out of the kernel's table.
    void end_without_waiting() const { netfilter_.close_elsewhere(); }

    // Writes the table anew if it is not what it should be, and sets the links' route_localnet. Returns how
    // the table was different, in a few words; empty when it was not.
    Result<std::string> repair(netlink::Socket& host);

    // For CHECK: how this record, or the kernel's table, differs from what it should be, in a few words;
    // empty when neither does.
    Result<std::string> difference(const HostPortRecord& record);

    // The network's attachments with a record that is at least that old.
    Result<std::vector<AttachmentId>> attachments(std::string_view network,
                                                  std::chrono::seconds at_least) const;

private:
    Result<> write_table(const std::vector<HostPortRecord>& records);
    Result<> change_table(const std::vector<HostPortRecord>& before,
                          const std::vector<HostPortRecord>& after);
    Result<std::string> difference_of(const std::vector<HostPortRecord>& records);
    void forget_udp(netlink::Socket& host, const std::vector<HostPort>& ports);

    std::filesystem::path directory_;
    Report report_;
    std::chrono::milliseconds patience_;
    Netfilter netfilter_;
};

} // namespace routelet::cni
