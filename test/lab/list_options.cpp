#include "test/lab/list_options.h"

#include "test/lab/refusal.h"

#include <charconv>

namespace routelet::lab {
namespace {

constexpr auto not_older_than = "NotOlderThan";
constexpr auto exact = "Exact";

std::uint64_t number(const std::string& name, const std::string& text)
{
    std::uint64_t value = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc{} || end != text.data() + text.size())
        throw bad_request("Invalid value: \"" + text + "\": " + name + " must be a number");
    return value;
}

std::optional<std::uint64_t> number_of(const Request& request, const std::string& name)
{
    const std::string text = request.option(name);
    return text.empty() ? std::nullopt : std::optional(number(name, text));
}

// As the real server reads an optional boolean: all but "false" and "0" is true, the empty text too.
std::optional<bool> send_initial_events(const Request& request)
{
    const auto found = request.query.find("sendInitialEvents");
    if (found == request.query.end())
        return std::nullopt;
    return found->second != "false" && found->second != "0";
}

FieldError forbidden(const std::string& field, const std::string& why)
{
    return {.reason = "FieldValueForbidden", .message = "Forbidden: " + why, .field = field};
}

FieldError unsupported_match(const std::string& match, const std::string& supported)
{
    return {.reason = "FieldValueNotSupported",
            .message = "Unsupported value: \"" + match + "\": supported values: " + supported,
            .field = "resourceVersionMatch"};
}

// apimachinery pkg/apis/meta/internalversion/validation, of 1.34.
std::vector<FieldError> watch_errors(const ListOptions& options, bool sends_initial, bool watch_list)
{
    std::vector<FieldError> errors;
    const std::string& match = options.match;
    if (sends_initial && match != not_older_than)
        errors.push_back(
            forbidden("resourceVersionMatch",
                      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    if (sends_initial && !watch_list)
        errors.push_back(forbidden("sendInitialEvents",
                                   "sendInitialEvents is forbidden for watch unless the WatchList "
                                   "feature gate is enabled"));
    if (match.empty())
        return errors;
    if (!sends_initial)
        errors.push_back(
            forbidden("resourceVersionMatch",
                      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    if (match != not_older_than)
        errors.push_back(unsupported_match(match, R"("NotOlderThan")"));
    if (!options.continue_token.empty())
        errors.push_back(
            forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    return errors;
}

std::vector<FieldError> list_errors(const ListOptions& options, bool sends_initial)
{
    std::vector<FieldError> errors;
    const std::string& match = options.match;
    if (!match.empty() && !options.version)
        errors.push_back(forbidden("resourceVersionMatch",
                                   "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (!match.empty() && !options.continue_token.empty())
        errors.push_back(
            forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    if (!match.empty() && match != exact && match != not_older_than)
        errors.push_back(unsupported_match(match, R"("Exact", "NotOlderThan", "")"));
    if (match == exact && options.version == 0)
        errors.push_back(forbidden("resourceVersionMatch",
                                   "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    if (sends_initial)
        errors.push_back(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    return errors;
}

} // namespace

ListOptions list_options(const Request& request, bool watch_list)
{
    ListOptions options{.watch = request.flag("watch"),
                        .version = number_of(request, "resourceVersion"),
                        .match = request.option("resourceVersionMatch"),
                        .limit = number_of(request, "limit").value_or(0),
                        .continue_token = request.option("continue"),
                        .bookmarks = request.flag("allowWatchBookmarks"),
                        .timeout = number_of(request, "timeoutSeconds")};
    const std::optional<bool> sends_initial = send_initial_events(request);
    const auto errors = options.watch ? watch_errors(options, sends_initial.has_value(), watch_list)
                                      : list_errors(options, sends_initial.has_value());
    if (!errors.empty())
        throw invalid_options(errors);

    // Clients from before WatchList ask for the state without a word: by version "" or "0".
    options.initial_events = options.watch && sends_initial.value_or(options.version.value_or(0) == 0);
    options.marks_initial_events = options.initial_events && options.bookmarks && watch_list;
    return options;
}

} // namespace routelet::lab
