#pragma once
#include "controller/bridge_keeper.h"
#include "controller/cni_config.h"
#include "controller/connection_sweep.h"
#include "controller/diagnosis/machine_watch.h"
#include "controller/finding_log.h"
#include "controller/http.h"
#include "controller/metrics.h"
#include "controller/network_condition.h"
#include "controller/node_events.h"
#include "controller/own_node.h"
#include "controller/reconciler.h"
#include "controller/reservation_sweep.h"
#include "controller/status.h"
#include "controller/table_keeper.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// What this node does beside routing, all of it following the one readiness predicate: the CNI configuration,
// the bridge of pods that have lost it, the sweep of what pods left behind, the health endpoint, the
// NetworkUnavailable condition; and its findings in the log and as Events. A router has the health endpoint
// and the log only. Stay on the io_context's one thread.
class NodeLife {
public:
    struct Options {
        std::string node_name; // empty: a router
        std::string bridge;
        std::filesystem::path cni_conf_dir; // empty: no CNI configuration is written
        cni::Mode cni_mode = cni::Mode::bridge;
        HostPortChoice host_ports = HostPortChoice::automatic;
        bool bandwidth = false;   // the plugin of that name is chained, where it is installed
        bool spoof_check = false; // pods cannot send from addresses that are not theirs
        std::filesystem::path state_dir = "/run/routelet";
        std::filesystem::path import_from; // see CniList
        std::optional<HttpAddress> health; // none: no endpoint
        std::uint32_t mtu = 0; // of pods, bytes; 0: what goes through the links that their packets leave by
        bool network_unavailable_condition = false;
        bool events = true;
        std::chrono::seconds look_interval{10};
        RouteIdentity identity{};
        std::chrono::seconds machine_interval{300};
    };
    using FindingSource = std::function<std::vector<Finding>()>;

    // `reconciler` is only read.
    NodeLife(boost::asio::io_context& io, Options options, const Log& log, const Reconciler& reconciler,
             const k8s::ClusterConfig& cluster);

    // Starts what runs by itself. `failed` is told of a task that ended by anything but cancellation.
    void start(std::function<void(std::exception_ptr)> failed);

    // Findings of others, shown with its own; who has them logs them.
    void add_findings(FindingSource source) { sources_.push_back(std::move(source)); }

    // To be told what the API server says of Nodes.
    OwnNode& own_node() noexcept { return own_node_; }

    // After each reconciliation.
    void look();
    void note_api_server(const std::string& url) { api_url_ = url; } // the one of several that is used
    void note_api_works();
    void note_api_fails(const std::string& error);
    void note_api_heard() noexcept { api_.heard = std::chrono::system_clock::now(); }

private:
    bool is_router() const noexcept { return options_.node_name.empty(); }
    void keep_plugin_state(const std::filesystem::path& folder); // the network's, in the plugin's dataDir
    boost::asio::awaitable<void> look_now_and_then();
    void tell_readiness(const Readiness& before);
    LogLine about_self(LogLevel level, const char* node_event, const char* router_event) const;
    void check_cni_config();
    std::uint32_t mtu_of_pods();
    std::vector<Finding> findings() const;
    std::vector<Finding> all_findings() const;
    Status status(const std::vector<Finding>& findings) const;
    std::vector<IpamUse> ipam_use() const;
    HttpResponse answer(std::string_view path) const;

    boost::asio::io_context& io_;
    Options options_;
    const Log& log_;
    const Reconciler& reconciler_;
    std::string api_url_;

    Readiness readiness_;
    std::vector<IpPrefix> pod_cidrs_; // that the CNI configuration was last checked with
    Cause::Clock::time_point unready_told_{};
    std::uint32_t pod_mtu_ = 0;                               // as last known; 0: never
    ApiState api_{.since = std::chrono::system_clock::now()}; // connecting since the start
    CniConfigFile cni_config_;
    std::optional<ReservationSweep> sweep_;
    std::optional<ConnectionSweep> connection_sweep_;
    std::optional<BridgeKeeper> bridge_keeper_;
    std::optional<TableKeeper> host_port_keeper_;
    std::optional<TableKeeper> spoof_check_keeper_;
    std::optional<HttpServer> server_;
    MachineWatch machine_watch_;
    OwnNode own_node_;
    std::optional<NetworkCondition> network_condition_;
    std::optional<NodeEvents> events_;
    std::vector<FindingSource> sources_;
    FindingLog finding_log_;
};

} // namespace routelet::controller
