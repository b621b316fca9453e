#pragma once
#include "controller/reconciler.h"
#include "netlink/monitor.h"

#include <chrono>
#include <string>
#include <vector>

namespace routelet::test {

// What controller/agent.cpp does with the kernel's notifications, without its timers: no full check and no
// retry, so what is repaired is repaired by a notification. It watches the namespace that the thread is in.
class RouteKeeper {
public:
    RouteKeeper(controller::Kernel& kernel, controller::Reconciler::Options options);
    RouteKeeper(const RouteKeeper&) = delete; // the log refers to it
    RouteKeeper& operator=(const RouteKeeper&) = delete;

    controller::Reconciler& reconciler() noexcept { return reconciler_; }
    const controller::Reconciler& reconciler() const noexcept { return reconciler_; }

    // Tells all that waits to the reconciler. True when it mattered, or when an earlier one has not been
    // acted on.
    bool drain();
    // Acts on what was drained; what reconcile() returned.
    bool reconcile(std::string_view cause);
    // Waits for the next notification, or for so long.
    void await(std::chrono::milliseconds time) const;

    std::size_t overruns() const noexcept { return overruns_; }
    const std::vector<std::string>& log_lines() const noexcept { return lines_; }
    // The log's lines with this event.
    std::vector<std::string> logged(std::string_view event) const;
    int monitor_fd() const noexcept { return monitor_.fd(); }

private:
    std::vector<std::string> lines_;
    controller::Log log_{controller::LogFormat::text, LogLevel::info, [this](const std::string& line) {
                             lines_.push_back(line);
                             return true;
                         }};
    netlink::Monitor monitor_; // opened before the first dump
    controller::Reconciler reconciler_;
    bool matters_ = false;
    std::size_t overruns_ = 0;
};

} // namespace routelet::test
