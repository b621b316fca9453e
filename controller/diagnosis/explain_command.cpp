#include "controller/diagnosis/explain_command.h"

#include "base/join.h"
#include "controller/status_command.h"

#include <algorithm>
#include <ostream>

namespace routelet::controller {
namespace {

constexpr int is_good = 0;
constexpr int is_broken = 1;

Result<StatusReport> report_of(const HttpAddress& agent)
{
    const Result<std::string> answer = ask_for_status(agent);
    if (!answer)
        return answer.error();
    return parse_status(*answer);
}

Result<Explanation> explanation_of(const Subject& subject, const Result<StatusReport>& agent,
                                   const PathOptions& options)
{
    Result<PathFacts> path = PathFacts{.way = netlink::Route{}};
    if (subject.address)
        path = read_path(subject, options);
    if (!path)
        return path.error();
    return explain(subject, agent, *path, options.identity);
}

} // namespace

int show_explanation(const ExplainOptions& options, std::ostream& out, std::ostream& errors)
{
    const Result<StatusReport> agent = report_of(options.health);
    const std::vector<Subject> subjects =
        agent ? subjects_of(options.asked, *agent) : subjects_of(options.asked);
    if (subjects.empty()) {
        errors << "routelet: " << options.asked << " is no address, and "
               << (agent ? "the agent here knows no Node of that name; see: routelet status"
                         : "whether it is a node only the agent knows: " + agent.error().text())
               << "\n";
        return is_broken;
    }
    std::vector<Explanation> explanations;
    for (const Subject& subject : subjects) {
        Result<Explanation> explanation = explanation_of(subject, agent, options.path);
        if (!explanation) {
            errors << "routelet: " << explanation.error() << "\n";
            return is_broken;
        }
        explanations.push_back(std::move(*explanation));
    }
    std::string text;
    for (const Explanation& explanation : explanations)
        append_item(text, to_text(explanation, Painter(options.output.colours)), "\n");
    out << formatted(to_json(explanations), text, options.output.format);
    return std::ranges::any_of(explanations, &Explanation::is_broken) ? is_broken : is_good;
}

} // namespace routelet::controller
