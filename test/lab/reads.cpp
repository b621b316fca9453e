#include "test/lab/reads.h"

#include "test/lab/base64.h"
#include "test/lab/list_options.h"
#include "test/lab/protobuf.h"
#include "test/lab/refusal.h"
#include "test/lab/simulated_nodes.h"
#include "test/lab/table.h"

#include <algorithm>

namespace routelet::lab {
namespace {

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
Page page_of(const Store& store, const ListOptions& options)
{
    if (!options.continue_token.empty()) {
        if (options.version.value_or(0) != 0)
            throw bad_request("specifying resource version is not allowed when using continue");
        Page page = continued(store, options.continue_token);
        page.limit = options.limit;
        return page;
    }
    if (!options.version)
        return {.exactly = std::nullopt, .after = {}, .limit = options.limit};
    if (options.version == 0)
        return {}; // from the watch cache, which knows no limit
    const bool exact = options.match == "Exact" || (options.match.empty() && options.limit > 0);
    if (!exact)
        return {};
    if (*options.version < store.forgotten())
        throw expired("The resourceVersion for the provided list is too old.");
    return {.exactly = options.version, .after = {}, .limit = options.limit};
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

Reply list_reply(const Kind& kind, const Json& metadata, const std::vector<Object>& objects, Form form)
{
    if (form == Form::protobuf)
        return {.content_type = std::string(content_type(form)),
                .body = node_list_to_protobuf(metadata, objects)};
    if (form == Form::json)
        return {.body = list_text(kind.name, metadata, objects)};
    std::vector<const Json*> rows;
    for (const Object& object : objects)
        rows.push_back(object.get());
    Json printed = table(kind.name, rows, std::chrono::system_clock::now());
    printed["metadata"] = metadata;
    return json_reply(printed);
}

// They are part of reads of all Nodes; what chooses among them, or prints a table, is about the store alone.
const SimulatedNodes* simulated_for(const ReadRules& rules, const Kind& kind, Form form,
                                    const Request& request)
{
    const bool all = request.option("labelSelector").empty() && request.option("fieldSelector").empty();
    const bool fits = kind.name == "Node" && form != Form::table && all && !request.sees_nothing;
    return fits ? rules.simulated : nullptr;
}

WatchStart watch_of(const Store& store, const Kind& kind, const std::string& collection, Selector selector,
                    const ListOptions& options)
{
    WatchStart start{.collection = collection,
                     .kind = kind.name,
                     .selector = std::move(selector),
                     .from = options.version.value_or(0),
                     .initial = options.initial_events,
                     .marks_initial = options.marks_initial_events,
                     .bookmarks = options.bookmarks};
    if (start.from == 0)
        start.from = store.version();
    if (options.timeout)
        start.timeout = std::chrono::seconds(*options.timeout);
    return start;
}

} // namespace

std::string list_text(const std::string& kind, const Json& metadata, const std::vector<Object>& objects)
{
    std::string text = R"({"kind":")" + kind + R"(List","apiVersion":"v1","metadata":)" + to_text(metadata) +
                       R"(,"items":[)";
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

Form form_for(const Kind& kind, const Request& request)
{
    return negotiate(request.accept, {.table = true, .protobuf = kind.has_protobuf});
}

Reply object_reply(const Kind& kind, const Json& object, Form form, unsigned status)
{
    if (form == Form::protobuf)
        return {.status = status,
                .content_type = std::string(content_type(form)),
                .body = to_protobuf(kind.name, object)};
    if (form == Form::json)
        return json_reply(object, status);
    Json printed = table(kind.name, {&object}, std::chrono::system_clock::now());
    printed["metadata"] = {{"resourceVersion", text_at(object, {"metadata", "resourceVersion"})}};
    return json_reply(printed, status);
}

Reply read_one(const Store& store, const Kind& kind, const std::string& key, const Request& request)
{
    const Form form = form_for(kind, request);
    const Object object = store.find(key);
    if (!object)
        throw not_found(kind.resource, key.substr(key.rfind('/') + 1));
    return object_reply(kind, *object, form);
}

Answer read_many(const Store& store, const ReadRules& rules, const Kind& kind, const std::string& collection,
                 const Request& request, bool patient)
{
    const ListOptions options = list_options(request, rules.watch_list);
    const Form form = form_for(kind, request);
    const SimulatedNodes* simulated = simulated_for(rules, kind, form, request);
    Selector selector =
        Selector::parse(request.option("labelSelector"), request.option("fieldSelector"), kind.fields);
    const Version wanted = options.version.value_or(0);
    const bool too_new = wanted > store.version() && (!options.watch || options.initial_events);
    if (too_new && patient)
        return WaitFor{wanted};

    if (options.watch) {
        WatchStart start = watch_of(store, kind, collection, std::move(selector), options);
        start.form = form;
        start.sees_nothing = request.sees_nothing;
        start.simulated = simulated;
        if (too_new)
            start.refusal = version_too_large(wanted, store.version()).status();
        return start;
    }
    if (too_new)
        throw version_too_large(wanted, store.version());

    const Page page = simulated ? Page() : page_of(store, options);
    const Version version = page.exactly.value_or(store.version());
    auto all = page.exactly ? store.list_at(collection, version) : store.list(collection);
    if (request.sees_nothing)
        all->clear();
    const Found found = take(all.value(), kind, selector, page);
    Json metadata = {{"resourceVersion", std::to_string(version)}};
    if (found.remaining > 0) {
        metadata["continue"] =
            continue_token(static_cast<std::int64_t>(version), key_of(kind, *found.objects.back()));
        if (request.option("labelSelector").empty() && request.option("fieldSelector").empty())
            metadata["remainingItemCount"] = found.remaining;
    }
    return simulated ? simulated->list(metadata, found.objects, form)
                     : list_reply(kind, metadata, found.objects, form);
}

} // namespace routelet::lab
