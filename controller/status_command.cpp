#include "controller/status_command.h"

#include "controller/status.h"

#include <ostream>

namespace routelet::controller {
namespace {

constexpr std::chrono::seconds patience{5};

constexpr int is_ready = 0;
constexpr int is_not_ready = 1;

} // namespace

Result<std::string> ask_for_status(const HttpAddress& agent)
{
    auto answer = http_get(agent, "/status", patience);
    if (!answer)
        return answer.error();
    if (answer->status != 200)
        return make_error(boost::system::errc::invalid_argument, "HTTP status " +
                                                                     std::to_string(answer->status) +
                                                                     " from another program's endpoint");
    return std::move(answer->body);
}

int show_status(const StatusOptions& options, std::ostream& out, std::ostream& errors)
{
    const auto answer = ask_for_status(options.health);
    const auto summary = answer ? summarize_status(*answer) : answer.error();
    if (!summary) {
        errors << "routelet: no agent answers here: " << summary.error().text()
               << "\nIs it running on this node, with the same --health-bind-address ("
               << options.health.to_string() << ")? kubectl -n routelet get pods -o wide\n";
        return is_not_ready;
    }
    out << (options.json ? *answer : summary->text);
    return summary->is_ready ? is_ready : is_not_ready;
}

} // namespace routelet::controller
