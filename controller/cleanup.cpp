#include "controller/cleanup.h"

#include "base/file.h"
#include "cni/host_port_table.h"
#include "cni/point_to_point.h"
#include "cni/spoof_check_table.h"
#include "controller/masquerade_table.h"
#include "controller/plugin_version.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "netlink/socket.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <sstream>
#include <string_view>
#include <vector>

namespace routelet::controller {
namespace {

namespace fs = std::filesystem;
using netlink::Link;
using netlink::Socket;

// The lines, and what they add up to.
class Report {
public:
    Report(std::ostream& out, bool dry_run) : out_(out), dry_run_(dry_run) {}

    // Does `removal`, unless this is a dry run, and tells how that went.
    void remove(const std::string& what, const std::function<Result<>()>& removal)
    {
        if (dry_run_) {
            line("would remove", what);
            return;
        }
        if (const Result<> done = removal(); done)
            removed(what);
        else
            fail(what, done.error());
    }
    void removed(const std::string& what) { line("removed", what); }
    void leave(const std::string& what, const std::string& why)
    {
        line("left", what + ": " + why);
        clean_ = false;
    }
    void fail(const std::string& what, const Error& error)
    {
        line("failed", what + ": " + error.text());
        clean_ = false;
    }
    void note(const std::string& what) { line("note", what); }

    bool is_clean() const noexcept { return clean_; }
    bool is_dry_run() const noexcept { return dry_run_; }

private:
    void line(const char* outcome, const std::string& what) { out_ << outcome << ": " << what << "\n"; }

    std::ostream& out_;
    bool dry_run_;
    bool clean_ = true;
};

bool is_gone(const Error& error)
{
    using namespace boost::system;
    return error.code == errc::no_such_process || error.code == errc::no_such_device;
}

// Somebody else's having removed it just now is what was wanted.
Result<> execute_removal(Socket& socket, const netlink::Request& request)
{
    Result<> done = socket.execute(request);
    if (!done && is_gone(done.error()))
        return {};
    return done;
}

Result<> remove_file(const fs::path& path)
{
    std::error_code failed;
    fs::remove_all(path, failed);
    if (failed)
        return Error{failed, "removing " + path.string()};
    return {};
}

bool is_there(const fs::path& path)
{
    std::error_code ignored; // what cannot be looked at fails when it is removed, or was never ours
    return fs::exists(fs::symlink_status(path, ignored));
}

// --- files

void remove_network_configuration(const fs::path& folder, Report& report)
{
    const fs::path path = folder / "05-routelet.conflist";
    if (!is_there(path))
        return;
    const Result<std::string> content = read_file(path);
    if (!content)
        return report.fail(path.string(), content.error());
    const auto document = nlohmann::json::parse(*content, nullptr, false);
    if (!document.is_object() || document.value("name", nlohmann::json()) != "routelet")
        return report.leave(path.string(), "its network is not named \"routelet\"");
    report.remove(path.string(), [&] { return remove_file(path); });
}

void remove_plugin(const fs::path& folder, Report& report)
{
    const fs::path path = folder / "routelet-cni";
    if (!is_there(path))
        return;
    const Result<std::string> content = read_file(path, largest_plugin);
    if (!content)
        return report.fail(path.string(), content.error());
    if (content->find("routelet-cni is a CNI plugin") == std::string::npos) // of its --help
        return report.leave(path.string(), "it is another program of that name");
    report.remove(path.string(), [&] { return remove_file(path); });
}

// `routelet install` makes it where there was no plugin of that name.
void remove_loopback(const fs::path& folder, Report& report)
{
    const fs::path path = folder / "loopback";
    std::error_code is_none;
    if (fs::read_symlink(path, is_none) != "routelet-cni")
        return;
    report.remove(path.string(), [&] { return remove_file(path); });
    report.note("container runtimes need a plugin named loopback for each pod; install one "
                "(containernetworking/plugins) unless the next network brings it");
}

// The folder itself may be a mount, as in the pod of manifests/cleanup.yaml, and goes with the next boot.
void remove_state(const fs::path& folder, Report& report)
{
    std::error_code failed;
    for (const std::string_view name : {"ipam", "host-ports", "plugins.json", "converged", "cni.log",
                                        "cni.log.1", "history.log", "history.log.1"})
        if (is_there(folder / name))
            report.remove((folder / name).string(), [&] { return remove_file(folder / name); });
    if (!fs::is_directory(folder, failed) || report.is_dry_run())
        return;
    if (!fs::is_empty(folder, failed))
        return report.leave(folder.string(), "it holds files that are not Routelet's");
    if (fs::remove(folder, failed))
        report.note(folder.string() + " was empty and is removed");
    else
        report.note(folder.string() + " is empty and stays: " + failed.message());
}

// --- the kernel

Result<std::vector<netlink::Route>> own_routes(Socket& socket, const RouteIdentity& identity)
{
    Result<std::vector<netlink::Route>> routes = netlink::list_routes(socket);
    if (routes)
        std::erase_if(*routes, [&](const netlink::Route& route) { return !identity.owns(route); });
    return routes;
}

std::string describe(const netlink::Route& route)
{
    std::ostringstream text;
    text << "route " << route;
    return std::move(text).str();
}

Result<> remove_routes(Socket& socket, const RouteIdentity& identity, Report& report)
{
    const auto routes = own_routes(socket, identity);
    if (!routes)
        return routes.error();
    for (const netlink::Route& route : *routes)
        report.remove(describe(route), [&] { return execute_removal(socket, netlink::delete_route(route)); });
    return {};
}

Result<> look_for_routes_that_came_back(Socket& socket, const RouteIdentity& identity, Report& report)
{
    const auto routes = own_routes(socket, identity);
    if (!routes)
        return routes.error();
    for (const netlink::Route& route : *routes)
        report.leave(describe(route), "it is there again; does an agent still run on this node?");
    return {};
}

void remove_nftables(const netlink::NftTableId& table, Report& report)
{
    const std::string what = "nftables table " + table.to_string();
    if (report.is_dry_run())
        return report.note("the " + what + ", if there is one, would be removed");
    Result<Socket> socket = Socket::open_netfilter();
    if (!socket && socket.error().code == boost::system::errc::protocol_not_supported)
        return; // no nfnetlink, no table
    const Result<bool> removed =
        socket ? netlink::remove_table(*socket, table) : Result<bool>(socket.error());
    if (!removed)
        report.fail(what, removed.error());
    else if (*removed)
        report.removed(what);
}

// As the plugin names the host's ends: "veth" and eleven hexadecimal digits. A complete one has an alias.
bool is_pod_interface(const Link& link)
{
    return link.kind == "veth" && link.name.size() == 15 && link.name.starts_with("veth") &&
           link.name.find_first_not_of("0123456789abcdef", 4) == std::string::npos;
}

// The plugin sets it at creation and Linux keeps it: see mac_for() in cni/attachment.h.
bool is_made_by_plugin(const Link& bridge)
{
    return bridge.kind == "bridge" && bridge.mac && bridge.mac->bytes[0] == 0x0a &&
           bridge.mac->bytes[1] == 0x58;
}

struct BridgePorts {
    std::vector<Link> pods;
    std::vector<Link> unfinished; // of an ADD that was killed: no pod has them
    std::vector<Link> foreign;
};

BridgePorts ports_of(const Link& bridge, const std::vector<Link>& links)
{
    BridgePorts ports;
    for (const Link& link : links)
        if (link.master == bridge.index)
            (!is_pod_interface(link) ? ports.foreign
             : link.alias.empty()    ? ports.unfinished
                                     : ports.pods)
                .push_back(link);
    return ports;
}

enum class Pods { none, some };

// Whether pods still use what the rest of the clean-up would take from them.
Result<Pods> remove_bridge(Socket& socket, const CleanupOptions& options, Report& report)
{
    const Result<std::vector<Link>> links = netlink::list_links(socket);
    if (!links)
        return links.error();
    const auto bridge = std::ranges::find(*links, options.bridge, &Link::name);
    if (bridge == links->end())
        return Pods::none;
    if (!is_made_by_plugin(*bridge)) {
        report.leave("interface " + bridge->name, "routelet-cni did not make it");
        return Pods::none;
    }

    const BridgePorts ports = ports_of(*bridge, *links);
    const auto remove = [&](const Link& link) {
        report.remove("interface " + link.name + (link.alias.empty() ? "" : " of " + link.alias),
                      [&] { return execute_removal(socket, netlink::delete_link(link.index)); });
    };
    for (const Link& link : ports.unfinished)
        remove(link);
    for (const Link& link : ports.pods) {
        if (options.force)
            remove(link);
        else
            report.leave("interface " + link.name, "the pod with container " + link.alias + " uses it");
    }
    if (!ports.pods.empty() && !options.force) {
        report.leave("interface " + bridge->name,
                     "pods use it; delete them, or use --force, which cuts them off");
        return Pods::some;
    }
    for (const Link& link : ports.foreign)
        report.leave("interface " + bridge->name, link.name + " is a port of it, and not Routelet's");
    if (ports.foreign.empty())
        remove(*bridge);
    return Pods::none;
}

// Pods that the node routes to without a bridge, and their gateways' addresses, which the plugin marks
// (cni/point_to_point.h).
Result<Pods> remove_routed(Socket& socket, const CleanupOptions& options, Report& report)
{
    const Result<std::vector<Link>> links = netlink::list_links(socket);
    if (!links)
        return links.error();
    const auto addresses = netlink::list_addresses(socket, netlink::loopback);
    if (!addresses)
        return addresses.error();

    Pods pods = Pods::none;
    for (const Link& link : *links) {
        if (!is_pod_interface(link) || link.alias.empty() || link.master != netlink::IfIndex{})
            continue;
        if (options.force) {
            report.remove("interface " + link.name + " of " + link.alias,
                          [&] { return execute_removal(socket, netlink::delete_link(link.index)); });
        } else {
            report.leave("interface " + link.name, "the pod with container " + link.alias + " uses it");
            pods = Pods::some;
        }
    }
    for (const netlink::InterfaceAddress& address : *addresses)
        if (address.protocol == cni::gateway_protocol && pods == Pods::none)
            report.remove("address " + address.address.to_string() + " of lo",
                          [&] { return execute_removal(socket, netlink::delete_address(address)); });
    return pods;
}

bool is_on(const fs::path& setting)
{
    const Result<std::string> value = read_file(setting);
    return value && value->starts_with('1');
}

// Nobody can tell any more who switched it on, and others may count on it by now.
void note_forwarding(Socket& socket, Report& report)
{
    const Result<std::vector<Link>> links = netlink::list_links(socket);
    std::string names;
    const fs::path ipv4 = "/proc/sys/net/ipv4";
    if (links && !is_on(ipv4 / "ip_forward"))
        for (const Link& link : *links)
            if (is_on(ipv4 / "conf" / link.name / "forwarding"))
                names += " " + link.name;
    if (!names.empty())
        report.note("IPv4 forwarding stays on for" + names +
                    "; off: sysctl -w net.ipv4.conf.NAME.forwarding=0");
    if (is_on("/proc/sys/net/ipv6/conf/all/forwarding"))
        report.note("IPv6 forwarding stays on (net.ipv6.conf.all.forwarding), which routelet-cni switches on "
                    "for pods "
                    "with IPv6 addresses if nobody has; off: sysctl -w net.ipv6.conf.all.forwarding=0");
}

} // namespace

Result<bool> clean_up(const CleanupOptions& options, std::ostream& out)
{
    Result<Socket> socket = Socket::open();
    if (!socket)
        return socket.error();
    Report report(out, options.dry_run);

    // The configuration first, so that the runtime starts no pod meanwhile.
    remove_network_configuration(options.cni_conf_dir, report);
    if (auto removed = remove_routes(*socket, options.identity, report); !removed)
        return removed.error();
    remove_nftables(masquerade_table_name, report);
    const Result<Pods> pods = remove_bridge(*socket, options, report);
    if (!pods)
        return pods.error();
    const Result<Pods> routed = remove_routed(*socket, options, report);
    if (!routed)
        return routed.error();
    if (*pods == Pods::none && *routed == Pods::none) {
        remove_nftables(cni::host_port_table_name, report);
        for (const netlink::NftFamily family : {netlink::NftFamily::bridge, netlink::NftFamily::inet})
            remove_nftables({cni::spoof_check_table_name, family}, report);
        remove_state(options.state_dir, report);
        remove_plugin(options.cni_bin_dir, report);
        remove_loopback(options.cni_bin_dir, report);
    } else {
        if (is_there(options.state_dir / "host-ports"))
            report.leave("nftables table inet " + std::string(cni::host_port_table_name),
                         "it leads ports of this node to these pods, if they have any");
        report.leave(options.state_dir.string() + " and " + (options.cni_bin_dir / "routelet-cni").string(),
                     "the container runtime needs them to take these pods down");
    }
    note_forwarding(*socket, report);
    if (!options.dry_run)
        if (auto looked = look_for_routes_that_came_back(*socket, options.identity, report); !looked)
            return looked.error();
    return report.is_clean();
}

} // namespace routelet::controller
