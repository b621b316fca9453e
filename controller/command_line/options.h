#pragma once
#include "controller/api_server.h"
#include "controller/cleanup.h"
#include "controller/diagnosis/doctor_command.h"
#include "controller/diagnosis/explain_command.h"
#include "controller/egress_plan.h"
#include "controller/flight_recorder.h"
#include "controller/install.h"
#include "controller/log.h"
#include "controller/node_life.h"
#include "controller/plan_command.h"
#include "controller/reconciler.h"
#include "controller/status_command.h"

#include <chrono>
#include <optional>

namespace routelet::controller {

// What `routelet run` was told, checked.
struct RunOptions {
    ApiServerOptions api_server;
    Reconciler::Options reconciler;
    NodeLife::Options life;
    EgressOptions egress;
    LogFormat log_format = LogFormat::text;
    LogLevel log_level = LogLevel::info;
    std::chrono::seconds check_interval{300};
};

// At most one of the commands, or the exit status of what is done already: --help, version, a usage error.
struct CommandLine {
    std::optional<RunOptions> run{};
    std::optional<StatusOptions> status{};
    std::optional<DoctorOptions> doctor{};
    std::optional<ExplainOptions> explain{};
    std::optional<HistoryOptions> history{};
    std::optional<PlanCommandOptions> plan{};
    std::optional<InstallOptions> install{};
    std::optional<CleanupOptions> cleanup{};
    int exit_status = 0;
};

// 0 done, 1 could not start or had to stop, or is not ready (status), or something is broken (doctor,
// explain), 2 wrong usage.
enum ExitStatus : int { exit_ok = 0, exit_failed = 1, exit_usage = 2 };

CommandLine parse_command_line(int argc, const char* const* argv);

} // namespace routelet::controller
