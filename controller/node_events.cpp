#include "controller/node_events.h"

#include <algorithm>
#include <utility>

namespace routelet::controller {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view unready_code = "routelet-not-ready";
constexpr auto repeat_error = 10min; // the same one is told no sooner at level warn

Finding unready(const Condition& unmet)
{
    return {std::string(unready_code), "no pods can be run here while " + unmet.name + " is not met",
            "see the other Events of this node, or routelet status on it"};
}

bool contains(const std::vector<Finding>& findings, const Finding& finding)
{
    return std::ranges::find(findings, finding) != findings.end();
}

} // namespace

std::string event_reason(std::string_view code)
{
    std::string reason;
    bool begins_word = true;
    for (const char c : code) {
        if (c == '-') {
            begins_word = true;
            continue;
        }
        const bool is_lower = c >= 'a' && c <= 'z';
        reason += begins_word && is_lower ? static_cast<char>(c - 'a' + 'A') : c;
        begins_word = false;
    }
    return reason;
}

std::vector<k8s::EventNote> NodeEventPolicy::next(const std::string& uid, const Readiness& readiness,
                                                  std::vector<Finding> findings, Clock::time_point now)
{
    if (const Condition* unmet = readiness.first_unmet(); readiness.state == Readiness::State::not_ready)
        findings.push_back(unready(*unmet));
    remember(findings, now);
    if (uid != uid_) {
        for (auto& [code, known] : known_)
            known.told.clear();
        is_unready_told_ = false;
        uid_ = uid;
    }
    if (uid.empty())
        return {};

    std::vector<k8s::EventNote> notes;
    for (const Finding& finding : findings) {
        Known& known = known_.at(finding.code);
        if (now - known.since < patience || contains(known.told, finding))
            continue;
        known.told.push_back(finding);
        is_unready_told_ |= finding.code == unready_code;
        notes.push_back(note(k8s::EventNote::Type::warning, finding));
    }
    if (readiness.state == Readiness::State::ready && std::exchange(is_unready_told_, false))
        notes.push_back(note(k8s::EventNote::Type::normal,
                             {"routelet-ready", "Routelet's routes and CNI configuration are in place", {}}));
    return notes;
}

// A finding that is over, and comes again, is told again.
void NodeEventPolicy::remember(const std::vector<Finding>& findings, Clock::time_point now)
{
    for (const Finding& finding : findings)
        known_.try_emplace(finding.code, Known{.since = now});
    std::erase_if(known_, [&](const auto& known) {
        return std::ranges::find(findings, known.first, &Finding::code) == findings.end();
    });
    for (auto& [code, known] : known_)
        std::erase_if(known.told, [&](const Finding& told) { return !contains(findings, told); });
}

k8s::EventNote NodeEventPolicy::note(k8s::EventNote::Type type, const Finding& finding) const
{
    return {.type = type,
            .reason = event_reason(finding.code),
            .message = finding.remedy.empty() ? finding.detail : finding.detail + "; " + finding.remedy,
            .name = node_name_,
            .object_uid = uid_};
}

NodeEvents::NodeEvents(const boost::asio::any_io_executor& executor, k8s::ClusterConfig config,
                       const Log& log, const std::string& node_name)
    : log_(log), policy_(node_name),
      recorder_(executor, std::move(config), {.source = {.component = "routelet", .host = node_name}})
{
    recorder_.on_dropped(
        [this](const k8s::EventNote& note, const Error& error) { note_dropped(note, error); });
}

void NodeEvents::look(const std::string& uid, const Readiness& readiness, std::vector<Finding> findings)
{
    const auto now = NodeEventPolicy::Clock::now();
    for (k8s::EventNote& note : policy_.next(uid, readiness, std::move(findings), now))
        recorder_.record(std::move(note));
}

void NodeEvents::note_dropped(const k8s::EventNote& note, const Error& error)
{
    const auto now = NodeEventPolicy::Clock::now();
    const bool is_repeated = error.text() == told_error_ && now - error_told_ < repeat_error;
    log_.write(LogLine(is_repeated ? LogLevel::debug : LogLevel::warn, "event-dropped")
                   .with("reason", note.reason)
                   .with("error", error.text()));
    if (!is_repeated) {
        told_error_ = error.text();
        error_told_ = now;
    }
}

} // namespace routelet::controller
