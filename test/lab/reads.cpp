#include "test/lab/reads.h"

#include "test/lab/base64.h"
#include "test/lab/refusal.h"
#include "test/lab/table.h"

#include <algorithm>
#include <charconv>

namespace routelet::lab {
namespace {

std::uint64_t number(const std::string& name, const std::string& text)
{
    std::uint64_t value = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc{} || end != text.data() + text.size())
        throw bad_request("Invalid value: \"" + text + "\": " + name + " must be a number");
    return value;
}

// Which part of a collection, and when: the query of a list.
struct Page {
    std::optional<Version> exactly; // the list as it was then; the current one when empty
    std::string after;              // keys beyond this one
    std::size_t limit = 0;          // 0: all
};

// What a continue token holds. Opaque to clients; ours looks like the real one. A version of -1 continues
// with whatever is there now.
std::string continue_token(std::int64_t version, const std::string& last_key)
{
    return to_base64(to_text({{"v", "meta.k8s.io/v1"}, {"rv", version}, {"start", last_key}}));
}

constexpr auto expired_token_text =
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
    "the results. Continuing with the provided token results in an inconsistent list - objects that were "
    "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
    "list.";

Page continued(const Store& store, const std::string& token)
{
    const auto text = from_base64(token);
    const Json content = text ? Json::parse(*text, nullptr, false) : Json();
    const Json& version = at_path(content, {"rv"});
    if (!version.is_number_integer())
        throw bad_request("continue key is not valid: it is not a token of this server");
    Page page{.exactly = std::nullopt, .after = text_at(content, {"start"})};
    if (version.get<std::int64_t>() < 0)
        return page;
    page.exactly = version.get<Version>();
    if (*page.exactly < store.forgotten() || *page.exactly > store.version())
        throw expired(expired_token_text).with_metadata({{"continue", continue_token(-1, page.after)}});
    return page;
}

// The rules of k8s.io/apiserver for resourceVersion, resourceVersionMatch, limit and continue of a list.
Page page_of(const Store& store, const Request& request)
{
    const std::string version_text = request.option("resourceVersion");
    const std::string match = request.option("resourceVersionMatch");
    const std::string limit_text = request.option("limit");
    const std::size_t limit = limit_text.empty() ? 0 : number("limit", limit_text);
    if (const std::string token = request.option("continue"); !token.empty()) {
        if (!version_text.empty() && version_text != "0")
            throw bad_request("specifying resource version is not allowed when using continue");
        Page page = continued(store, token);
        page.limit = limit;
        return page;
    }
    if (version_text.empty())
        return {.exactly = std::nullopt, .after = {}, .limit = limit};

    const Version version = number("resourceVersion", version_text);
    if (version == 0)
        return {}; // from the watch cache, which knows no limit
    const bool exact = match == "Exact" || (match.empty() && limit > 0);
    if (!exact)
        return {};
    if (version < store.forgotten())
        throw expired("The resourceVersion for the provided list is too old.");
    return {.exactly = version, .after = {}, .limit = limit};
}

std::string key_of(const Kind& kind, const Json& object)
{
    const std::string space = kind.namespaced ? text_at(object, {"metadata", "namespace"}) + "/" : "";
    return kind.resource + "/" + space + text_at(object, {"metadata", "name"});
}

struct Found {
    std::vector<Object> objects;
    std::size_t remaining = 0;
};

Found take(const std::vector<Object>& all, const Kind& kind, const Selector& selector, const Page& page)
{
    Found found;
    for (const Object& object : all) {
        if (!page.after.empty() && key_of(kind, *object) <= page.after)
            continue;
        if (!selector.matches(*object))
            continue;
        if (page.limit != 0 && found.objects.size() == page.limit)
            ++found.remaining;
        else
            found.objects.push_back(object);
    }
    return found;
}

// Written by hand because Json would sort kind and metadata behind the items, which the real server does not;
// items carry no kind and apiVersion of their own.
std::string list_text(const Kind& kind, const Json& metadata, const std::vector<Object>& objects)
{
    std::string text = R"({"kind":")" + kind.name + R"(List","apiVersion":"v1","metadata":)" +
                       to_text(metadata) + R"(,"items":[)";
    const char* comma = "";
    for (const Object& object : objects) {
        Json item = *object;
        item.erase("kind");
        item.erase("apiVersion");
        text += comma + to_text(item);
        comma = ",";
    }
    return text + "]}";
}

Reply list_reply(const Kind& kind, const Json& metadata, const std::vector<Object>& objects, Form form)
{
    if (form == Form::plain)
        return {.body = list_text(kind, metadata, objects)};
    std::vector<const Json*> rows;
    for (const Object& object : objects)
        rows.push_back(object.get());
    Json printed = table(kind.name, rows, std::chrono::system_clock::now());
    printed["metadata"] = metadata;
    return json_reply(printed);
}

// Negative answers to options that only newer servers know, in the words of those that have them switched
// off.
void refuse_watch_list(const Request& request)
{
    const auto refuse = [](const std::string& field, const std::string& why) {
        throw invalid("ListOptions.meta.k8s.io", "", field, "Forbidden: " + why);
    };
    if (!request.option("sendInitialEvents").empty())
        refuse("sendInitialEvents",
               "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
    if (!request.option("resourceVersionMatch").empty())
        refuse("resourceVersionMatch", "resourceVersionMatch is forbidden for watch");
}

WatchStart watch_of(const Store& store, const Kind& kind, const std::string& collection, Selector selector,
                    const Request& request)
{
    refuse_watch_list(request);
    const std::string version_text = request.option("resourceVersion");
    const Version version = version_text.empty() ? 0 : number("resourceVersion", version_text);
    WatchStart start{.collection = collection,
                     .kind = kind.name,
                     .selector = std::move(selector),
                     .from = version == 0 ? store.version() : version,
                     .initial = version == 0,
                     .bookmarks = request.flag("allowWatchBookmarks"),
                     .form = negotiate(request.accept),
                     .timeout = std::nullopt};
    if (const std::string timeout = request.option("timeoutSeconds"); !timeout.empty())
        start.timeout = std::chrono::seconds(number("timeoutSeconds", timeout));
    return start;
}

} // namespace

Reply object_reply(const Kind& kind, const Json& object, Form form, unsigned status)
{
    if (form == Form::plain)
        return json_reply(object, status);
    Json printed = table(kind.name, {&object}, std::chrono::system_clock::now());
    printed["metadata"] = {{"resourceVersion", text_at(object, {"metadata", "resourceVersion"})}};
    return json_reply(printed, status);
}

Reply read_one(const Store& store, const Kind& kind, const std::string& key, const Request& request)
{
    const Form form = negotiate(request.accept);
    const Object object = store.find(key);
    if (!object)
        throw not_found(kind.resource, key.substr(key.rfind('/') + 1));
    return object_reply(kind, *object, form);
}

Answer read_many(const Store& store, const Kind& kind, const std::string& collection, const Request& request,
                 bool patient)
{
    Selector selector =
        Selector::parse(request.option("labelSelector"), request.option("fieldSelector"), kind.fields);
    if (request.flag("watch"))
        return watch_of(store, kind, collection, std::move(selector), request);

    const Form form = negotiate(request.accept);
    const std::string wanted = request.option("resourceVersion");
    if (!wanted.empty() && number("resourceVersion", wanted) > store.version()) {
        const Version version = number("resourceVersion", wanted);
        if (patient)
            return WaitFor{version};
        throw version_too_large(version, store.version());
    }

    const Page page = page_of(store, request);
    const Version version = page.exactly.value_or(store.version());
    const auto all = page.exactly ? store.list_at(collection, version) : store.list(collection);
    const Found found = take(all.value(), kind, selector, page);
    Json metadata = {{"resourceVersion", std::to_string(version)}};
    if (found.remaining > 0) {
        metadata["continue"] =
            continue_token(static_cast<std::int64_t>(version), key_of(kind, *found.objects.back()));
        if (request.option("labelSelector").empty() && request.option("fieldSelector").empty())
            metadata["remainingItemCount"] = found.remaining;
    }
    return list_reply(kind, metadata, found.objects, form);
}

} // namespace routelet::lab
