#pragma once
#include "base/file.h"
#include "controller/network_condition.h"
#include "k8sclient/event_recorder.h"
#include "test/lab/wire.h"

#include <list>

// What an agent writes to the API server, at work on a lab server.
namespace routelet::test {

namespace asio = boost::asio;

inline controller::Readiness unready_node()
{
    return controller::judge_readiness({.node_name = "node01", .nodes_listed = true});
}
inline controller::Readiness ready_node()
{
    return controller::judge_readiness(
        {.node_name = "node01",
         .nodes_listed = true,
         .reconciled = true,
         .node_exists = true,
         .own_verdicts = {
             {"node01", "10.244.1.0/24", controller::NodeState::self, controller::Reason::none, ""}}});
}

// As an administrator, who may write a Node's status and Events.
inline k8s::ClusterConfig admin_of(const Lab& lab)
{
    return need(k8s::load_kubeconfig(lab.server->kubeconfig()));
}

// Writes that reached the server, in their order.
inline std::vector<lab::RequestRecord> writes_of(const Lab& lab, const std::string& target)
{
    std::vector<lab::RequestRecord> found;
    for (lab::RequestRecord& request : lab.server->requests())
        if (request.method != "GET" && request.target.find(target) != std::string::npos)
            found.push_back(std::move(request));
    return found;
}

inline std::vector<unsigned> codes_of(const std::vector<lab::RequestRecord>& requests)
{
    std::vector<unsigned> codes;
    for (const lab::RequestRecord& request : requests)
        codes.push_back(request.status);
    return codes;
}

// Tasks of one thread, which end with it.
class Loop {
public:
    ~Loop() { stop(); }

    void start(asio::awaitable<void> coroutine)
    {
        Task& task = tasks_.emplace_back();
        asio::co_spawn(context, std::move(coroutine),
                       asio::bind_cancellation_slot(task.stop.slot(),
                                                    [&task](std::exception_ptr) { task.has_ended = true; }));
    }
    bool runs() const
    {
        return std::ranges::none_of(tasks_, [](const Task& task) { return task.has_ended; });
    }
    // True as soon as `condition` is.
    template <class Condition>
    bool sees(Condition condition, std::chrono::milliseconds limit = patience)
    {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!condition() && std::chrono::steady_clock::now() < deadline)
            context.run_one_for(20ms);
        return condition();
    }
    void wait(std::chrono::milliseconds time)
    {
        sees([] { return false; }, time);
    }
    void stop()
    {
        for (Task& task : tasks_)
            task.stop.emit(asio::cancellation_type::terminal);
        CHECK(sees(
            [this] { return std::ranges::all_of(tasks_, [](const Task& task) { return task.has_ended; }); },
            5s));
        tasks_.clear();
    }

    asio::io_context context;

private:
    struct Task {
        asio::cancellation_signal stop;
        bool has_ended = false;
    };
    std::list<Task> tasks_;
};

// Keeps the own Node what the watch says.
struct Following : k8s::NodeObserver {
    controller::OwnNode own{"node01"};
    std::set<std::string> names;

    void list_begins() override
    {
        names.clear();
        own.begin_list();
    }
    void listed(k8s::Node one) override
    {
        names.insert(one.name);
        own.list(one);
    }
    void replaced(Clock::time_point) override { own.end_list(); }
    void upserted(k8s::Node one, Clock::time_point) override
    {
        names.insert(one.name);
        own.upsert(one);
    }
    void deleted(k8s::Node one, Clock::time_point) override
    {
        names.erase(one.name);
        own.erase(one.name);
    }
    void noticed(const k8s::WatchNotice&) override {}
};

// node01's condition, as its agent keeps it.
struct ConditionWriter {
    Lab& lab;
    std::vector<std::string> lines; // of the log
    controller::Log log{controller::LogFormat::text, LogLevel::debug, [this](const std::string& line) {
                            lines.push_back(line);
                            return true;
                        }};
    controller::Readiness readiness = ready_node();
    Following seen;
    Loop loop;
    k8s::NodeReflector reflector;
    controller::NetworkCondition condition;

    explicit ConditionWriter(Lab& on)
        : lab(on),
          reflector(loop.context.get_executor(), admin_of(on), seen, quick(Encoding::protobuf, true)),
          condition(loop.context.get_executor(), admin_of(on), log,
                    {.node_name = "node01",
                     .readiness = [this]() -> const controller::Readiness& { return readiness; },
                     .own_node = [this]() -> const controller::OwnNode::State& { return seen.own.state(); }})
    {
        loop.start(condition.run());
    }
    ~ConditionWriter() { loop.stop(); }

    void watch() { loop.start(reflector.run()); }

    std::vector<lab::RequestRecord> patches() const { return writes_of(lab, "/nodes/node01/status"); }
    bool sees_patches(std::size_t count)
    {
        return loop.sees([&] { return patches().size() >= count && patches().back().status != 0; });
    }
    // As the watch shows it.
    bool sees_condition(const std::string& status, std::chrono::milliseconds limit = patience)
    {
        return loop.sees([&] { return seen.own.state().network_unavailable.status == status; }, limit);
    }
    bool sees_no_trouble()
    {
        return loop.sees([&] { return condition.findings().empty(); });
    }
    std::string trouble() const
    {
        const auto findings = condition.findings();
        return findings.empty() ? "" : findings[0].detail;
    }
};

} // namespace routelet::test
