#include "controller/status_command.h"

#include <chrono>
#include <ostream>
#include <thread>

namespace routelet::controller {
namespace {

constexpr int is_ready = 0;
constexpr int is_not_ready = 1;

int refuse(const Error& why, const HttpAddress& health, std::ostream& errors)
{
    errors << "routelet: no agent answers here: " << why.text()
           << "\nIs it running on this node, with the same --health-bind-address (" << health.to_string()
           << ")? kubectl -n routelet get pods -o wide\n";
    return is_not_ready;
}

} // namespace

Result<std::string> ask_for_status(const HttpAddress& agent, std::chrono::seconds patience)
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
    constexpr std::chrono::seconds pause(1);
    StatusView view{.filter = options.filter,
                    .is_wide = options.output.format == OutputOptions::Format::wide,
                    .has_names_only = options.output.format == OutputOptions::Format::name,
                    .painter = Painter(options.output.colours)};
    const StatusView as_at_start = view; // ages are no change
    std::string shown;
    for (;;) {
        const auto answer = ask_for_status(options.health, options.patience);
        view.now = std::chrono::system_clock::now();
        const auto summary = answer ? summarize_status(*answer, view) : answer.error();
        if (!summary && !options.watch)
            return refuse(summary.error(), options.health, errors);
        const std::string text = summary ? formatted(*answer, summary->text, options.output.format)
                                         : "no agent answers here: " + summary.error().text() + "\n";
        if (!options.watch) {
            out << text;
            return summary->is_ready ? is_ready : is_not_ready;
        }
        const std::string now = summary ? summarize_status(*answer, as_at_start)->text : text;
        if (now != shown)
            out << (shown.empty() ? "" : "\n") << text << std::flush;
        shown = now;
        std::this_thread::sleep_for(pause);
    }
}

} // namespace routelet::controller
