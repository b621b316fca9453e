#include "controller/command_line/shared.h"

#include <algorithm>
#include <limits>

namespace routelet::controller {
namespace {

const std::map<std::string, Role> roles = {{"node", Role::node}, {"router", Role::router}};
const std::map<std::string, OffLink> off_links = {{"skip", OffLink::skip}, {"gateway", OffLink::gateway}};

// Of one prefix, or of several separated by commas: CLI11 from 2.4 on shows a validator an environment
// variable as a whole, and passes over one that it refuses.
std::string check_prefix(const std::string& text)
{
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        const auto prefix = IpPrefix::parse(std::string_view(text).substr(begin, end - begin));
        if (!prefix)
            return prefix.error().text();
        begin = end + 1;
    }
    return {};
}

std::string check_health_address(const std::string& text)
{
    if (text.empty())
        return {};
    const auto address = HttpAddress::parse(text);
    return address ? std::string{} : address.error().text();
}

} // namespace

CLI::Validator is_prefix()
{
    return {check_prefix, "CIDR"};
}

std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts)
{
    std::vector<IpPrefix> prefixes;
    prefixes.reserve(texts.size());
    for (const auto& text : texts)
        prefixes.push_back(IpPrefix::parse(text).value()); // is_prefix() saw them all
    return prefixes;
}

void HealthOption::add_to(CLI::App& command, const std::string& description)
{
    command.add_option("--health-bind-address", text, description)
        ->envname("ROUTELET_HEALTH_BIND_ADDRESS")
        ->check(CLI::Validator(check_health_address, "ADDRESS:PORT"))
        ->capture_default_str();
}

std::optional<HttpAddress> HealthOption::address() const
{
    if (text.empty())
        return std::nullopt;
    return HttpAddress::parse(text).value(); // check_health_address() saw it
}

HttpAddress HealthOption::agent() const
{
    if (text.empty())
        throw CLI::ValidationError("--health-bind-address is empty, so there is nobody to ask");
    return *address();
}

void OwnershipOptions::add_to(CLI::App& command)
{
    command.add_option("--bridge", bridge, "Bridge of this node's pods")
        ->envname("ROUTELET_BRIDGE")
        ->capture_default_str();
    command.add_option("--route-protocol", protocol, "rtm_protocol that marks Routelet's routes")
        ->envname("ROUTELET_ROUTE_PROTOCOL")
        ->check(CLI::Range(5U, 255U))
        ->capture_default_str();
    command
        .add_option(
            "--route-metric", metric,
            "First of the 65536 metrics that mark Routelet's routes, together with the protocol. IPv4 routes "
            "have this one plus the last two bytes of their next hop, all others this one")
        ->envname("ROUTELET_ROUTE_METRIC")
        ->check(CLI::Range(1U, std::numeric_limits<std::uint32_t>::max() - RouteIdentity::metrics))
        ->capture_default_str();
}

RouteIdentity OwnershipOptions::identity() const
{
    return {.protocol = netlink::RouteProtocol{static_cast<std::uint8_t>(protocol)}, .metric = metric};
}

void PlanningOptions::add_role_to(CLI::App& command)
{
    command
        .add_option(
            "--role", role,
            "node, or router: a machine that is the nodes' default gateway and no node itself. It has "
            "routes to all nodes' pods, but no bridge, no CNI configuration and no masquerade")
        ->envname("ROUTELET_ROLE")
        ->check(CLI::IsMember(names_of(roles)))
        ->capture_default_str();
    command
        .add_option("--node-name", node_name,
                    "Name of this machine's Node object. Required, but for a router, which has none")
        ->envname("NODE_NAME");
    command
        .add_option(
            "--off-link", off_link,
            "What becomes of nodes whose address is on no network of this machine: skip refuses "
            "them; gateway leaves their pods to the default route, whose gateway has to know them, as "
            "a router of Routelet's does")
        ->envname("ROUTELET_OFF_LINK")
        ->check(CLI::IsMember(names_of(off_links)))
        ->capture_default_str();
}

void PlanningOptions::add_ranges_to(CLI::App& command)
{
    command
        .add_option("--cluster-cidr", cluster_cidrs,
                    "Range that every podCIDR must lie in, as kube-controller-manager's, and whose packets "
                    "leave by no "
                    "default route; repeat or separate by commas")
        ->envname("ROUTELET_CLUSTER_CIDR")
        ->delimiter(',')
        ->check(is_prefix());
    command
        .add_option("--service-cidr", service_cidrs,
                    "Range that no podCIDR may overlap; repeat or separate by commas")
        ->envname("ROUTELET_SERVICE_CIDR")
        ->delimiter(',')
        ->check(is_prefix());
    command
        .add_option("--max-routes", most_routes,
                    "So many routes at most; of the nodes beyond, the youngest have none")
        ->envname("ROUTELET_MAX_ROUTES")
        ->check(CLI::Range(1U, 10'000'000U))
        ->capture_default_str();
}

Role PlanningOptions::checked_role() const
{
    if (roles.at(role) == Role::node && node_name.empty())
        throw CLI::RequiredError("--node-name");
    return roles.at(role);
}

PlanOptions PlanningOptions::plan() const
{
    return {.node_name = node_name,
            .cluster_cidrs = parse_prefixes(cluster_cidrs),
            .service_cidrs = parse_prefixes(service_cidrs),
            .off_link = off_links.at(off_link),
            .most_routes = most_routes};
}

void add_api_server_options(CLI::App& command, ApiServerOptions& server)
{
    command
        .add_option("--kubeconfig", server.kubeconfig,
                    "How to reach the API server; without it the files that KUBECONFIG names, merged as "
                    "kubectl does, "
                    "else the pod's service account")
        ->type_name("FILE");
    command
        .add_option("--context", server.context, "Context of the kubeconfig, instead of its current-context")
        ->envname("ROUTELET_CONTEXT");
    command
        .add_option(
            "--apiserver", server.apiservers,
            "HOST:PORT of an API server instead of the configured one, for where its service address does "
            "not "
            "work "
            "before kube-proxy does; of several, repeated or separated by commas, one is used until it fails")
        ->envname("ROUTELET_APISERVER")
        ->delimiter(',');
}

void add_state_dir(CLI::App& command, std::filesystem::path& folder, const std::string& description)
{
    command.add_option("--state-dir", folder, description)
        ->type_name("DIR")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
}

void add_cni_conf_dir(CLI::App& command, std::filesystem::path& folder, const std::string& description)
{
    command.add_option("--cni-conf-dir", folder, description)
        ->type_name("DIR")
        ->envname("ROUTELET_CNI_CONF_DIR")
        ->capture_default_str();
}

void add_cni_bin_dir(CLI::App& command, std::filesystem::path& folder)
{
    command.add_option("--cni-bin-dir", folder, "Folder where the container runtime looks for plugins")
        ->type_name("DIR")
        ->envname("ROUTELET_CNI_BIN_DIR")
        ->capture_default_str();
}

} // namespace routelet::controller
