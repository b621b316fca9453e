#include "controller/plugin_tables.h"

#include "cni/host_port_table.h"
#include "cni/host_ports.h"
#include "cni/spoof_check.h"

#include <memory>

namespace routelet::controller {

TableKeeper::Subject host_port_tables(std::filesystem::path folder, const Log& log)
{
    // Without patience: while the plugin has the lock, it is asked again later.
    const auto ports = std::make_shared<cni::HostPorts>(
        std::move(folder), [&log](const LogLine& line) { log.write(line); }, std::chrono::milliseconds(0));
    return {
        .table = cni::host_port_table_name,
        .families = {netlink::NftFamily::inet},
        .repair = [ports](netlink::Socket& host) { return ports->repair(host); },
        .restored = "host-ports-restored",
        .broken = {"host-ports-broken", "ports of this node that lead to pods cannot be kept open",
                   "as the error says; or delete those pods, so that they are made anew"},
        .fight = {
            "host-ports-fight",
            "somebody changes nftables table inet " + std::string(cni::host_port_table_name) +
                " again and again",
            "find out who with: nft monitor; let it leave this table alone, or give --host-ports portmap"}};
}

TableKeeper::Subject spoof_check_tables()
{
    const auto check = std::make_shared<cni::SpoofCheck>();
    return {
        .table = cni::spoof_check_table_name,
        .families = {netlink::NftFamily::bridge, netlink::NftFamily::inet},
        .repair = [check](netlink::Socket& host) { return check->repair(host); },
        .restored = "spoof-check-restored",
        .broken = {"spoof-check-broken",
                   "what keeps this node's pods from sending from other addresses than their own cannot be "
                   "looked after",
                   "as the error says"},
        .fight = {"spoof-check-fight",
                  "somebody changes nftables tables bridge and inet " +
                      std::string(cni::spoof_check_table_name) + " again and again",
                  "find out who with: nft monitor; let it leave these tables alone, or do without "
                  "--spoof-check"}};
}

bool has_spoof_check_tables()
{
    Result<netlink::Socket> socket = netlink::Socket::open_netfilter();
    const auto found = socket ? netlink::has_table(*socket, cni::spoof_check_table_name) : socket.error();
    return found && *found;
}

} // namespace routelet::controller
