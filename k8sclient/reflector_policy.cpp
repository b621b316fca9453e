#include "k8sclient/reflector_policy.h"

#include "k8sclient/encoding.h"

#include <algorithm>

namespace routelet::k8s {
namespace {

using namespace std::chrono_literals;

constexpr auto good_watch = 10s;                 // one that lasts so long was no failure
constexpr unsigned most_undecodable = 2;         // then the list may heal it
constexpr unsigned most_internal_errors = 6;     // about a minute, with the default backoff
constexpr std::size_t most_body_shown = 300;     // bytes of what is not a Status
constexpr std::size_t most_message_shown = 1024; // bytes of what is

// RFC 3986 section 2.1; resource versions and continue tokens are opaque.
std::string percent_encoded(std::string_view text)
{
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                   (c >= '0' && c <= '9') ||
                                   std::string_view("-._~").find(c) != std::string_view::npos;
        if (is_unreserved)
            encoded += c;
        else
            encoded += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
    return encoded;
}

// The first words of a page, on one line.
std::string excerpt(std::string_view body, std::size_t most)
{
    std::string text(body.substr(0, most));
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return text;
}

std::string rights_for(Refusal::Of what)
{
    switch (what) {
    case Refusal::Of::nodes:
        break;
    case Refusal::Of::node_status:
        return "resources [nodes/status], verbs [patch]";
    case Refusal::Of::events:
        return "resources [events], verbs [create, patch]";
    }
    return "resources [nodes], verbs [get, list, watch]";
}

// A write that is wrong, whoever sends it when. A Node of another uid than the patch's is not such a case.
bool is_our_bug(const Refusal& refusal, const std::string& words)
{
    if (refusal.of == Refusal::Of::nodes || words.find("metadata.uid") != std::string::npos)
        return false;
    return refusal.code == 400 || refusal.code == 413 || refusal.code == 415 || refusal.code == 422;
}

std::string remedy(const Refusal& refusal, const std::string& words)
{
    if (refusal.code == 401)
        return "; the token or client certificate of " + refusal.origin + " is not accepted, has it expired?";
    if (refusal.code == 403)
        return "; the RBAC rule it needs: apiGroups [\"\"], " + rights_for(refusal.of);
    if (is_our_bug(refusal, words))
        return "; this is a bug of Routelet's, or an admission policy's doing: please report it";
    if (refusal.code == 404 && refusal.of == Refusal::Of::nodes)
        return "; is this the address of a Kubernetes API server?";
    if (refusal.code == 200 && !refusal.content_encoding.empty())
        return "; its content encoding is " + refusal.content_encoding +
               ", which was not asked for: does a proxy compress what it passes on?";
    if (refusal.code == 200)
        return "; this is " + refusal.content_type +
               ", not JSON or protobuf: is this the address of a Kubernetes API server, or does a proxy "
               "answer for it?";
    return "";
}

bool helps_to_relist(const Failure& failure)
{
    const int code = failure.status.code;
    if (failure.why == Failure::Why::refused)
        return code == 400 || code == 422;
    if (failure.why == Failure::Why::event)
        return code != 401 && code != 403 && code != 429 && code != 500 && code != 503 && code != 504;
    return false;
}

} // namespace

bool Failure::is_expired() const
{
    const bool from_server = why == Why::refused || why == Why::event;
    return from_server && (status.code == 410 || status.reason == "Expired" || status.reason == "Gone");
}

ListMode after_list_failure(ListMode mode, const Failure& failure)
{
    if (!failure.is_expired() && !failure.status.version_too_large)
        return mode == ListMode::streaming && refuses_streaming(failure) ? ListMode::not_older : mode;
    switch (mode) {
    case ListMode::streaming:
    case ListMode::not_older:
        return ListMode::latest_paged;
    case ListMode::latest_paged:
    case ListMode::latest_whole:
        break;
    }
    return ListMode::latest_whole;
}

std::string list_target(ListMode mode, std::string_view version, std::size_t page_size,
                        std::string_view continue_token)
{
    const std::string nodes = "/api/v1/nodes";
    switch (mode) {
    case ListMode::not_older:
        return nodes + "?resourceVersion=" + (version.empty() ? "0" : percent_encoded(version));
    case ListMode::streaming:
    case ListMode::latest_paged:
        break;
    case ListMode::latest_whole:
        return nodes;
    }
    const std::string page = nodes + "?limit=" + std::to_string(page_size);
    return continue_token.empty() ? page : page + "&continue=" + percent_encoded(continue_token);
}

std::string watch_target(std::string_view version, std::chrono::seconds timeout)
{
    return "/api/v1/nodes?watch=1&allowWatchBookmarks=true&resourceVersion=" + percent_encoded(version) +
           "&timeoutSeconds=" + std::to_string(timeout.count());
}

std::string streaming_target(std::string_view version, std::chrono::seconds timeout)
{
    return "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
           "&allowWatchBookmarks=true" +
           (version.empty() ? "" : "&resourceVersion=" + percent_encoded(version)) +
           "&timeoutSeconds=" + std::to_string(timeout.count());
}

bool refuses_streaming(const Failure& failure)
{
    const int code = failure.status.code;
    switch (failure.why) {
    case Failure::Why::refused:
        return code == 400 || code == 404 || code == 405 || code == 422;
    case Failure::Why::event:
        return !failure.is_expired() && code != 401 && code != 403 && code != 429 && code != 503 &&
               code != 504;
    case Failure::Why::endless:
        return true;
    case Failure::Why::transport:
    case Failure::Why::undecodable:
    case Failure::Why::ignored:
        break;
    }
    return false;
}

bool ListDoubt::is_doubtful(std::size_t nodes)
{
    const std::size_t expected = doubted_.value_or(known_);
    if (nodes == 0 ? expected > 0 : expected > few && nodes < expected / 2) {
        doubted_ = nodes;
        return true;
    }
    doubted_.reset();
    known_ = nodes;
    return false;
}

AfterWatch WatchHistory::next(const WatchEnd& end)
{
    if (end.advanced) {
        undecodable_ = 0;
        internal_errors_ = 0;
    }
    if (end.suspiciously_silent)
        return AfterWatch::relist;
    if (!end.failure)
        return end.advanced || end.lasted >= good_watch ? AfterWatch::resume_now : AfterWatch::resume_later;

    const Failure& failure = *end.failure;
    if (failure.why == Failure::Why::undecodable)
        ++undecodable_;
    if (failure.why == Failure::Why::event && failure.status.code == 500)
        ++internal_errors_;
    if (failure.is_expired() || helps_to_relist(failure) || undecodable_ >= most_undecodable ||
        internal_errors_ >= most_internal_errors) {
        *this = {};
        return AfterWatch::relist;
    }
    return AfterWatch::resume_later;
}

std::chrono::milliseconds Backoff::next(double jitter, std::optional<std::chrono::seconds> retry_after)
{
    delay_ = is_fresh() ? first_ : std::min(delay_ * 2, most_);
    const auto delay =
        std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(delay_.count()) * jitter));
    if (!retry_after)
        return delay;
    return std::max<std::chrono::milliseconds>(delay,
                                               std::clamp<std::chrono::seconds>(*retry_after, 1s, 60s));
}

std::chrono::milliseconds relist_spread(std::size_t nodes)
{
    const std::size_t at_200_a_second = nodes * 5;
    return std::min<std::chrono::milliseconds>(std::chrono::milliseconds(at_200_a_second), 30s);
}

Failure describe_refusal(const Refusal& refusal)
{
    Failure failure;
    failure.why = refusal.code == 200 ? Failure::Why::undecodable : Failure::Why::refused;
    const Encoding encoding = encoding_of(refusal.content_type).value_or(Encoding::json);
    failure.status = decode_status(encoding, refusal.body);
    failure.status.code = refusal.code;
    const bool is_text = encoding == Encoding::json && refusal.content_encoding.empty();
    const std::string words = !failure.status.message.empty()
                                  ? excerpt(failure.status.message, most_message_shown)
                              : is_text ? excerpt(refusal.body, most_body_shown)
                                        : std::string();
    failure.error.context = refusal.method + " " + refusal.url + ": " + std::to_string(refusal.code) + " " +
                            refusal.reason + (words.empty() ? "" : ": " + words) + remedy(refusal, words);
    return failure;
}

Failure describe_error_event(const Status& status)
{
    Failure failure;
    failure.why = Failure::Why::event;
    failure.status = status;
    failure.error.context =
        "the server ended the watch: " + std::to_string(status.code) + " " +
        excerpt(status.reason, most_body_shown) +
        (status.message.empty() ? "" : ": " + excerpt(status.message, most_message_shown));
    return failure;
}

} // namespace routelet::k8s
