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

// What is printed, and what changes only when something has happened.
struct Shown {
    std::string text;
    std::string state;
    bool is_ready = false;
};

Result<Shown> look_at(const StatusOptions& options)
{
    const auto answer = ask_for_status(options.health, options.patience);
    if (!answer)
        return answer.error();
    const Format format = options.output.format;
    const StatusView shown{.filter = options.filter,
                           .is_wide = format == Format::wide,
                           .has_names_only = format == Format::name,
                           .painter = Painter(options.output.colours)};
    StatusView lasting = is_whole(format) ? StatusView{.is_wide = true} : shown;
    lasting.has_ages = false;
    const auto summary = summarize_status(*answer, shown);
    const auto state = summarize_status(*answer, lasting);
    if (!summary || !state)
        return summary ? state.error() : summary.error();
    return Shown{.text = formatted(*answer, summary->text, format),
                 .state = state->text,
                 .is_ready = summary->is_ready};
}

int show_once(const StatusOptions& options, std::ostream& out, std::ostream& errors)
{
    const auto look = look_at(options);
    if (!look) {
        errors << complaint(look.error(), options.health);
        return is_not_ready;
    }
    out << look->text;
    return look->is_ready ? is_ready : is_not_ready;
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
        const auto look = look_at(options);
        const std::string state = look ? look->state : complaint(look.error(), options.health);
        if (state == told)
            continue;
        told = state;
        status = look && look->is_ready ? is_ready : is_not_ready;
        if (!look) {
            errors << state << std::flush;
            continue;
        }
        out << separator << look->text << std::flush;
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
