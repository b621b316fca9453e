#include "controller/node_life.h"

#include "cni/state_directory.h"
#include "controller/forwarding.h"
#include "controller/own_range.h"
#include "controller/plugin_tables.h"
#include "controller/pod_mtu.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace asio = boost::asio;

namespace routelet::controller {
namespace {

// A node that stays unready says so again, so that whoever looks at the end of its log sees why.
constexpr std::chrono::minutes repeat_unready{5};

constexpr const char* host_port_folder = "host-ports"; // of the state directory

} // namespace

NodeLife::NodeLife(asio::io_context& io, Options options, const Log& log, const Reconciler& reconciler,
                   const k8s::ClusterConfig& cluster)
    : io_(io), options_(std::move(options)), log_(log), reconciler_(reconciler), api_url_(cluster.urls()),
      readiness_(judge_readiness(reconciler.readiness_facts())), api_{.since =
                                                                          std::chrono::system_clock::now()},
      cni_config_({.directory = options_.cni_conf_dir,
                   .plugins = options_.state_dir / "plugins.json",
                   .bridge = options_.bridge,
                   .mode = options_.cni_mode,
                   .host_ports = options_.host_ports,
                   .host_port_dir = options_.state_dir / host_port_folder,
                   .bandwidth = options_.bandwidth,
                   .spoof_check = options_.spoof_check,
                   .import_from = options_.import_from,
                   .agent_state = options_.state_dir / "converged",
                   .log_file = options_.state_dir / "cni.log"},
                  log),
      machine_watch_(options_.identity, options_.bridge, options_.machine_interval),
      own_node_(options_.node_name), finding_log_(log)
{
    if (options_.health)
        server_.emplace(io.get_executor(), *options_.health,
                        [this](std::string_view path) { return answer(path); });
    if (options_.network_unavailable_condition)
        network_condition_.emplace(
            io.get_executor(), cluster, log,
            NetworkCondition::Subject{
                .node_name = options_.node_name,
                .readiness = [this]() -> const Readiness& { return readiness_; },
                .own_node = [this]() -> const OwnNode::State& { return own_node_.state(); }});
    if (options_.events)
        events_.emplace(io.get_executor(), cluster, log, options_.node_name);
    if (!options_.cni_conf_dir.empty())
        keep_plugin_state(options_.state_dir / "ipam" / network_name);
}

void NodeLife::keep_plugin_state(const std::filesystem::path& folder)
{
    sweep_.emplace(
        ReservationSweep::Options{.folder = folder, .host_ports = options_.state_dir / host_port_folder},
        log_);
    connection_sweep_.emplace(io_, ConnectionSweep::Options{.folder = folder}, log_);
    // Whatever host ports are done by now: pods that are there may have some of the plugin's.
    host_port_keeper_.emplace(io_, host_port_tables(options_.state_dir / host_port_folder, log_), log_);
    if (options_.spoof_check || has_spoof_check_tables()) // of pods from before
        spoof_check_keeper_.emplace(io_, spoof_check_tables(), log_);
    if (options_.cni_mode == cni::Mode::bridge)
        bridge_keeper_.emplace(BridgeKeeper::Options{.bridge = options_.bridge, .folder = folder}, log_);
}

void NodeLife::start(std::function<void(std::exception_ptr)> failed)
{
    asio::co_spawn(io_, look_now_and_then(), failed);
    if (server_)
        asio::co_spawn(io_, server_->run(), failed);
    if (sweep_)
        asio::co_spawn(io_, sweep_->run(io_), failed);
    if (connection_sweep_)
        asio::co_spawn(io_, connection_sweep_->run(), failed);
    if (host_port_keeper_)
        asio::co_spawn(io_, host_port_keeper_->run(), failed);
    if (spoof_check_keeper_)
        asio::co_spawn(io_, spoof_check_keeper_->run(), failed);
    if (network_condition_)
        asio::co_spawn(io_, network_condition_->run(), failed);
    if (events_)
        asio::co_spawn(io_, events_->run(), failed);
}

asio::awaitable<void> NodeLife::look_now_and_then()
{
    asio::steady_timer timer(io_);
    for (;;) {
        check_cni_config();
        look();
        timer.expires_after(options_.look_interval);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void NodeLife::look()
{
    const Readiness before = readiness_;
    readiness_ = judge_readiness(reconciler_.readiness_facts());
    if (readiness_.state != before.state || reconciler_.plan().own_pod_cidrs != pod_cidrs_)
        check_cni_config();
    if (bridge_keeper_ && readiness_.state == Readiness::State::ready)
        bridge_keeper_->look(pod_cidrs_, mtu_of_pods(), Cause::Clock::now());
    if (readiness_.state == Readiness::State::ready)
        machine_watch_.look(Cause::Clock::now());
    finding_log_.tell(findings());
    tell_readiness(before);
    if (events_)
        events_->look(own_node_.state().uid, readiness_, all_findings());
}

void NodeLife::tell_readiness(const Readiness& before)
{
    if (readiness_.state == Readiness::State::ready && before.state != Readiness::State::ready)
        log_.write(about_self(LogLevel::info, "node-ready", "router-ready"));
    if (readiness_.state != Readiness::State::not_ready)
        return;
    const auto now = Cause::Clock::now();
    const Condition* unmet = readiness_.first_unmet();
    const bool is_same =
        before.state == Readiness::State::not_ready && before.first_unmet()->name == unmet->name;
    if (is_same && now - unready_told_ < repeat_unready)
        return;
    unready_told_ = now;
    log_.write(about_self(LogLevel::warn, "node-not-ready", "router-not-ready")
                   .with("condition", unmet->name)
                   .with("detail", unmet->finding.detail)
                   .with("remedy", unmet->finding.remedy));
}

LogLine NodeLife::about_self(LogLevel level, const char* node_event, const char* router_event) const
{
    if (is_router())
        return {level, router_event};
    return LogLine(level, node_event).with("node", options_.node_name);
}

void NodeLife::check_cni_config()
{
    pod_cidrs_ = reconciler_.plan().own_pod_cidrs;
    cni_config_.check(readiness_.state == Readiness::State::ready ? pod_cidrs_ : std::vector<IpPrefix>{},
                      mtu_of_pods());
}

// While every link is down the one of before counts: pods that start meanwhile live on when it is up again.
std::uint32_t NodeLife::mtu_of_pods()
{
    if (options_.mtu != 0)
        return options_.mtu;
    if (const std::uint32_t now = pod_mtu(reconciler_.plan(), reconciler_.local()); now != 0)
        pod_mtu_ = now;
    return pod_mtu_;
}

void NodeLife::note_api_works()
{
    if (api_.what != ApiState::What::working)
        api_ = {
            .what = ApiState::What::working, .since = std::chrono::system_clock::now(), .heard = api_.heard};
}

void NodeLife::note_api_fails(const std::string& error)
{
    if (api_.what != ApiState::What::failing)
        api_ = {
            .what = ApiState::What::failing, .since = std::chrono::system_clock::now(), .heard = api_.heard};
    api_.error = error;
}

std::vector<Finding> NodeLife::findings() const
{
    std::vector<Finding> all = readiness_.findings();
    const auto add = [&](const std::vector<Finding>& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    if (is_router())
        add(find_forwarding_off(reconciler_.plan(), reconciler_.local(), "/proc/sys/net/ipv6/conf"));
    add(find_old_ranges(reconciler_.plan(), reconciler_.local(), options_.node_name));
    add(cni_config_.findings());
    if (sweep_)
        add(sweep_->findings());
    if (bridge_keeper_)
        add(bridge_keeper_->findings());
    if (host_port_keeper_)
        add(host_port_keeper_->findings());
    if (spoof_check_keeper_)
        add(spoof_check_keeper_->findings());
    add(machine_watch_.findings());
    if (server_)
        add(server_->findings());
    if (network_condition_)
        add(network_condition_->findings());
    return all;
}

std::vector<Finding> NodeLife::all_findings() const
{
    std::vector<Finding> all = findings();
    for (const FindingSource& source : sources_)
        std::ranges::move(source(), std::back_inserter(all));
    return all;
}

HttpResponse NodeLife::answer(std::string_view path) const
{
    if (path == "/livez" || path == "/healthz")
        return {.body = "ok\n"};
    if (path == "/readyz")
        return {.status = readiness_.state == Readiness::State::ready ? 200 : 503,
                .body = to_text(readiness_)};
    const std::vector<Finding> findings = all_findings();
    if (path == "/status")
        return {.content_type = "application/json", .body = to_json(status(findings))};
    if (path == "/metrics")
        return {.content_type = Exposition::content_type,
                .body = to_metrics({.status = status(findings),
                                    .routes = reconciler_.counters(),
                                    .ipam = ipam_use(),
                                    .process = read_process()})};
    return {.status = 404, .body = "known: /livez, /healthz, /readyz, /status, /metrics\n"};
}

Status NodeLife::status(const std::vector<Finding>& findings) const
{
    return {.node_name = options_.node_name,
            .api_url = api_url_,
            .api = api_,
            .readiness = readiness_,
            .findings = findings,
            .plan = reconciler_.plan(),
            .times = reconciler_.plan_times(),
            .local = reconciler_.local(),
            .last_change = reconciler_.counters().last,
            .refusals = reconciler_.failures(),
            .routes_in_place = reconciler_.planned_in_place()};
}

// Of the ranges that the network configuration gives out.
std::vector<IpamUse> NodeLife::ipam_use() const
{
    if (options_.cni_conf_dir.empty())
        return {};
    const auto files = cni::list_unlocked(options_.state_dir / "ipam" / network_name);
    std::vector<IpamUse> uses;
    for (const IpPrefix& range : configured_ranges(reconciler_.plan().own_pod_cidrs)) {
        const bool is_v4 = range.family() == IpFamily::v4;
        IpamUse use{.family = range.family(),
                    .capacity = std::exp2(range.network().bits() - range.length()) - (is_v4 ? 3 : 2)};
        for (const std::string& name : files ? *files : std::vector<std::string>{})
            if (const auto address = IpAddress::parse(name); address && address->family() == use.family)
                ++use.reserved;
        uses.push_back(use);
    }
    return uses;
}

} // namespace routelet::controller
