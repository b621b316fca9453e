#include "test/lab/captured.h"
#include "test/lab/protobuf.h"
#include "test/lab/server_fixture.h"

using namespace routelet::lab;

namespace {

constexpr auto streaming = "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
constexpr auto protobuf = "application/vnd.kubernetes.protobuf";

Store store_at(Version version)
{
    return Store::restored({{"version", version}, {"objects", Json::object()}});
}

WatchStart start_of(Fixture& f, const std::string& target, const std::string& accept = {})
{
    return std::get<WatchStart>(f.get(target, accept));
}

std::vector<std::string> causes(const Answered& answer)
{
    std::vector<std::string> fields;
    for (const Json& cause : list_at(answer.body, {"details", "causes"}))
        fields.push_back(text_at(cause, {"field"}));
    return fields;
}

} // namespace

TEST_CASE("a streaming list is all that is there, a mark, and then what happens", "[lab][watch-list]")
{
    Fixture f;
    f.add("a");
    f.add("b");
    const Version before = f.store.version();
    WatchFeed feed(f.store, start_of(f, std::string(streaming) + "&allowWatchBookmarks=true"));

    auto frames = feed.next();
    REQUIRE(frames.size() == 3);
    CHECK(frames[2].what == Frame::What::bookmark);
    const Json mark = Json::parse(frames[2].text);
    CHECK(mark["object"]["metadata"] ==
          Json::parse(R"({"annotations":{"k8s.io/initial-events-end":"true"},"resourceVersion":")" +
                      std::to_string(before) + "\"}"));
    CHECK(feed.is_up_to_date());

    f.add("c");
    CHECK(f.frames(feed) == Texts{"ADDED c"});
    CHECK_FALSE(Json::parse(feed.bookmark().text)["object"]["metadata"].contains("annotations"));
}

TEST_CASE("what changes while a streaming list is sent comes after its mark", "[lab][watch-list]")
{
    Fixture f;
    for (int i = 100; i < 200; ++i)
        f.add("n" + std::to_string(i));
    WatchFeed feed(f.store, start_of(f, std::string(streaming) + "&allowWatchBookmarks=true"));
    std::size_t added = feed.next().size();
    CHECK_FALSE(feed.is_up_to_date());
    f.ask("DELETE", "/api/v1/nodes/n199");

    std::vector<Frame> frames = feed.next();
    added += frames.size() - 1;
    CHECK(added == 100);
    CHECK(frames.back().what == Frame::What::bookmark);
    CHECK(f.frames(feed) == Texts{"DELETED n199"});
}

TEST_CASE("marks and refusals inside a watch are byte for byte those of a real server", "[lab][watch-list]")
{
    Fixture f{.store = store_at(5455)};
    const std::string marked = std::string(streaming) + "&allowWatchBookmarks=true";
    const std::string legacy = "/api/v1/nodes?watch=1&allowWatchBookmarks=true";
    for (const auto& target : {marked, legacy, legacy + "&resourceVersion=0"}) {
        CAPTURE(target);
        WatchFeed feed(f.store, start_of(f, target, protobuf));
        const auto frames = feed.next();
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].text == captured("watch_bookmark.pb"));
        WatchFeed in_json(f.store, start_of(f, target));
        CHECK(Json::parse(in_json.next().at(0).text) == captured_json("watch_bookmark.json"));
    }

    const std::string future = std::string(streaming) + "&resourceVersion=99999999";
    WatchFeed refused(f.store, start_of(f, future, protobuf));
    CHECK(refused.next().at(0).text == captured("watch_too_new.pb"));
    CHECK(refused.over());
    WatchFeed in_json(f.store, start_of(f, future));
    CHECK(Json::parse(in_json.next().at(0).text) == captured_json("watch_too_new.json"));
}

TEST_CASE("a streaming list waits for the version that it is about, another watch does not",
          "[lab][watch-list]")
{
    Fixture f;
    const Request request = request_of(std::string(streaming) + "&resourceVersion=100");
    CHECK(std::get<WaitFor>(f.api.answer(request, true)).version == 100);
    const Request plain = request_of("/api/v1/nodes?watch=1&resourceVersion=100");
    CHECK_FALSE(std::get<WatchStart>(f.api.answer(plain, true)).initial);
}

TEST_CASE("there is no mark without bookmarks, and nothing to mark without initial events",
          "[lab][watch-list]")
{
    Fixture f;
    f.add("a");
    WatchFeed unmarked(f.store, start_of(f, streaming));
    CHECK(f.frames(unmarked) == Texts{"ADDED a"});

    const auto none = start_of(f, "/api/v1/nodes?watch=1&sendInitialEvents=false&resourceVersionMatch="
                                  "NotOlderThan&allowWatchBookmarks=true");
    WatchFeed feed(f.store, none);
    CHECK(f.frames(feed).empty());
    f.add("b");
    CHECK(f.frames(feed) == Texts{"ADDED b"});
}

TEST_CASE("a streaming list of an old version is one of the present state", "[lab][watch-list]")
{
    Fixture f;
    f.add("a");
    f.store.compact();
    WatchFeed feed(f.store, start_of(f, std::string(streaming) + "&resourceVersion=1"));
    CHECK(f.frames(feed) == Texts{"ADDED a"});
}

TEST_CASE("a streaming list that does not go together is refused as by the real server", "[lab][watch-list]")
{
    Fixture f;
    CHECK(f.ask("GET", "/api/v1/nodes?watch=1&resourceVersionMatch=Exact&resourceVersion=5").body ==
          captured_json("watch_invalid.json"));
    CHECK(f.ask("GET", "/api/v1/nodes?sendInitialEvents=true&resourceVersionMatch=Exact").body ==
          captured_json("list_invalid.json"));

    const auto refused = [&](const std::string& query) {
        const auto answer = f.ask("GET", "/api/v1/nodes?" + query);
        CHECK(answer.status == 422);
        return causes(answer);
    };
    CHECK(refused("watch=1&sendInitialEvents=true") == Texts{"resourceVersionMatch"});
    CHECK(refused("watch=1&sendInitialEvents=true&resourceVersionMatch=Exact") ==
          Texts{"resourceVersionMatch", "resourceVersionMatch"});
    CHECK(refused("watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x") ==
          Texts{"resourceVersionMatch"});
    CHECK(refused("watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=0") ==
          Texts{"resourceVersionMatch"});
    CHECK(refused("resourceVersionMatch=Exact&resourceVersion=0") == Texts{"resourceVersionMatch"});
    CHECK(refused("resourceVersionMatch=Newest&resourceVersion=1") == Texts{"resourceVersionMatch"});
}

TEST_CASE("a server without streaming lists refuses them, and marks nothing", "[lab][watch-list]")
{
    Fixture f{.rules = {.watch_list = false}};
    f.add("a");
    const auto refused = f.ask("GET", streaming);
    CHECK(refused.status == 422);
    CHECK(causes(refused) == Texts{"sendInitialEvents"});
    WatchFeed legacy(f.store, start_of(f, "/api/v1/nodes?watch=1&allowWatchBookmarks=true"));
    CHECK(f.frames(legacy) == Texts{"ADDED a"});
}

TEST_CASE("a list that looks empty does so in every form", "[lab][fault]")
{
    Fixture f;
    f.add("a");
    Request request = request_of(std::string(streaming) + "&allowWatchBookmarks=true");
    request.sees_nothing = true;
    WatchFeed feed(f.store, std::get<WatchStart>(f.api.answer(request, false)));
    const auto frames = feed.next();
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].what == Frame::What::bookmark);

    request = request_of("/api/v1/nodes", protobuf);
    request.sees_nothing = true;
    const Json metadata = {{"resourceVersion", std::to_string(f.store.version())}};
    CHECK(std::get<Reply>(f.api.answer(request, false)).body == node_list_to_protobuf(metadata, {}));
    request.accept = "";
    CHECK(Json::parse(std::get<Reply>(f.api.answer(request, false)).body)["items"].empty());
}
