#include "controller/status_command.h"

#include "controller/status.h"

#include <ostream>

namespace routelet::controller {
namespace {

constexpr std::chrono::seconds patience{5};

constexpr int is_ready = 0;
constexpr int is_not_ready = 1;

} // namespace

int show_status(const StatusOptions& options, std::ostream& out, std::ostream& errors)
{
    const auto refuse = [&](const std::string& why) {
        errors << "routelet: no agent answers here: " << why
               << "\nIs it running on this node, with the same --health-bind-address ("
               << options.health.to_string() << ")? kubectl -n routelet get pods -o wide\n";
        return is_not_ready;
    };
    const auto answer = http_get(options.health, "/status", patience);
    if (!answer)
        return refuse(answer.error().text());
    if (answer->status != 200)
        return refuse("HTTP status " + std::to_string(answer->status) + " from another program's endpoint");
    const auto summary = summarize_status(answer->body);
    if (!summary)
        return refuse(summary.error().text());
    out << (options.json ? answer->body : summary->text);
    return summary->is_ready ? is_ready : is_not_ready;
}

} // namespace routelet::controller
