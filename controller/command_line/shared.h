#pragma once
#include "base/ip.h"
#include "controller/api_server.h"
#include "controller/http.h"
#include "controller/kernel.h"
#include "controller/plan.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// What options of several commands have in common. Only for this folder.

template <class Value>
std::vector<std::string> names_of(const std::map<std::string, Value>& values)
{
    std::vector<std::string> names;
    names.reserve(values.size());
    for (const auto& [name, value] : values)
        names.push_back(name);
    return names;
}

CLI::Validator is_prefix();
// Of texts that is_prefix() has let pass.
std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts);

// Where an agent serves its status.
struct HealthOption {
    std::string text = "127.0.0.1:9482";

    void add_to(CLI::App& command, const std::string& description);
    std::optional<HttpAddress> address() const; // none where it is empty
    HttpAddress agent() const;                  // throws CLI::ValidationError where it is empty
};

// By what commands know what is Routelet's.
struct OwnershipOptions {
    std::string bridge = "v-net-0";
    unsigned protocol = to_int(RouteIdentity{}.protocol);
    std::uint32_t metric = RouteIdentity{}.metric;

    void add_to(CLI::App& command);
    RouteIdentity identity() const;
};

enum class Role { node, router };

// What a plan follows from.
struct PlanningOptions {
    std::string role = "node";
    std::string node_name;
    std::string off_link = "skip";
    std::vector<std::string> cluster_cidrs;
    std::vector<std::string> service_cidrs;
    std::size_t most_routes = PlanOptions{}.most_routes;

    void add_role_to(CLI::App& command);
    void add_ranges_to(CLI::App& command);
    // Throws CLI::RequiredError where a node has no name.
    Role checked_role() const;
    PlanOptions plan() const;
};

// By what `run` knows where the API server is, and `plan` which address no podCIDR may hold.
void add_api_server_options(CLI::App& command, ApiServerOptions& server);

void add_state_dir(CLI::App& command, std::filesystem::path& folder, const std::string& description);
void add_cni_conf_dir(CLI::App& command, std::filesystem::path& folder, const std::string& description);
void add_cni_bin_dir(CLI::App& command, std::filesystem::path& folder);

} // namespace routelet::controller
