#include "controller/status_command.h"

#include <unistd.h>

#include <chrono>
#include <ostream>

namespace routelet::controller {
namespace {

using Format = OutputOptions::Format;

constexpr int is_ready = 0;
constexpr int is_not_ready = 1;

std::string complaint(const Error& why, const HttpAddress& health)
{
    return "routelet: no agent answers here: " + why.text() +
           "\nIs it running on this node, with the same --health-bind-address (" + health.to_string() +
           ")? kubectl -n routelet get pods -o wide\n";
}

bool is_whole(Format format)
{
    return format == Format::json || format == Format::yaml;
}

StatusView view_of(const StatusOptions& options)
{
    return {.filter = options.filter,
            .is_wide = options.output.format == Format::wide,
            .has_names_only = options.output.format == Format::name,
            .painter = Painter(options.output.colours)};
}

// What is printed of the agent's answer.
Result<StatusSummary> show(const std::string& answer, const StatusOptions& options)
{
    auto summary = summarize_status(answer, view_of(options));
    if (summary)
        summary->text = formatted(answer, summary->text, options.output.format);
    return summary;
}

// What changes only when something has happened.
Result<std::string> lasting_part(const std::string& answer, const StatusOptions& options)
{
    StatusView view = is_whole(options.output.format) ? StatusView{.is_wide = true} : view_of(options);
    view.has_ages = false;
    auto summary = summarize_status(answer, view);
    if (!summary)
        return summary.error();
    return std::move(summary->text);
}

int show_once(const StatusOptions& options, std::ostream& out, std::ostream& errors)
{
    const auto answer = ask_for_status(options.health, options.patience);
    const auto shown = answer ? show(*answer, options) : answer.error();
    if (!shown) {
        errors << complaint(shown.error(), options.health);
        return is_not_ready;
    }
    out << shown->text;
    return shown->is_ready ? is_ready : is_not_ready;
}

// Between one status and the next. JSON documents need nothing.
const char* separator_of(Format format)
{
    if (format == Format::yaml)
        return "---\n";
    return format == Format::json ? "" : "\n";
}

// Only a signal ends it, or that nobody reads it any more.
int watch(const StatusOptions& options, std::ostream& out, std::ostream& errors)
{
    constexpr std::chrono::seconds pause(1);
    const char* separator = "";
    std::string told; // last, be it a status or a complaint
    int status = is_not_ready;
    do {
        const auto answer = ask_for_status(options.health, options.patience);
        const auto lasting = answer ? lasting_part(*answer, options) : answer.error();
        const std::string now = lasting ? *lasting : complaint(lasting.error(), options.health);
        if (now == told)
            continue;
        told = now;
        status = is_not_ready;
        if (!lasting) {
            errors << now << std::flush;
            continue;
        }
        const StatusSummary shown = show(*answer, options).value();
        status = shown.is_ready ? is_ready : is_not_ready;
        out << separator << shown.text << std::flush;
        separator = separator_of(options.output.format);
    } while (out && wait_while_read(STDOUT_FILENO, pause));
    if (!out)
        errors << "routelet: the status cannot be written\n";
    return out ? status : is_not_ready;
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
    return options.watch ? watch(options, out, errors) : show_once(options, out, errors);
}

} // namespace routelet::controller
