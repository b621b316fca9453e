#include "base/ip.h"
#include "test/lab/protobuf.h"
#include "test/lab/server_fixture.h"
#include "test/lab/simulated_nodes.h"

#include <protozero/pbf_reader.hpp>

#include <set>

using namespace routelet;
using namespace routelet::lab;

namespace {

constexpr auto protobuf = "application/vnd.kubernetes.protobuf";
constexpr auto streaming = "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                           "&allowWatchBookmarks=true";

// A server with a node of its own, "a", besides the simulated ones.
struct Simulation {
    explicit Simulation(std::size_t count, std::size_t bytes = 6'000) : nodes(count, bytes) { f.add("a"); }

    std::string body(const std::string& target, const std::string& accept = {})
    {
        auto reply = std::get<Reply>(f.get(target, accept));
        for (std::string piece; reply.more && !(piece = reply.more()).empty();)
            reply.body += piece;
        return reply.body;
    }
    Json items() { return Json::parse(body("/api/v1/nodes")).at("items"); }

    SimulatedNodes nodes;
    Fixture f{.store = Store::restored({{"version", nodes.version()}, {"objects", Json::object()}}),
              .rules = {.simulated = &nodes}};
};

// All values of a length-delimited field of `message`; throws when a length does not fit.
std::vector<std::string> values(std::string_view message, protozero::pbf_tag_type tag)
{
    std::vector<std::string> found;
    protozero::pbf_reader reader(message.data(), message.size());
    while (reader.next())
        if (reader.tag() == tag)
            found.push_back(reader.get_string());
        else
            reader.skip();
    return found;
}

} // namespace

TEST_CASE("simulated nodes stand behind those that are kept, each with a range and an address of its own",
          "[lab][simulated]")
{
    constexpr std::size_t count = 300;
    Simulation s(count);
    const Json items = s.items();
    REQUIRE(items.size() == count + 1);
    CHECK(text_at(items[0], {"metadata", "name"}) == "a");

    std::set<std::string> names;
    std::set<std::string> uids;
    std::set<std::string> versions;
    std::set<IpPrefix> ranges;
    std::set<IpAddress> addresses;
    for (std::size_t i = 1; i < items.size(); ++i) {
        const Json& node = items[i];
        names.insert(text_at(node, {"metadata", "name"}));
        uids.insert(text_at(node, {"metadata", "uid"}));
        versions.insert(text_at(node, {"metadata", "resourceVersion"}));
        ranges.insert(test::need(IpPrefix::parse(text_at(node, {"spec", "podCIDR"}))));
        addresses.insert(test::need(IpAddress::parse(text_at(node["status"]["addresses"][0], {"address"}))));
    }
    CHECK(names.size() == count);
    CHECK(uids.size() == count);
    CHECK(versions.size() == count);
    CHECK(ranges.size() == count);
    CHECK(addresses.size() == count);
    CHECK(std::stoull(*versions.rbegin()) <= s.nodes.version());
}

TEST_CASE("the last of very many simulated nodes is as valid as the first", "[lab][simulated]")
{
    const SimulatedNodes nodes(130'000, 6'000);
    const Json last = Json::parse(nodes.added(129'999, Form::json)).at("object");
    CHECK(text_at(last, {"spec", "podCIDR"}) == "10.126.243.192/26");
    CHECK(text_at(last["status"]["addresses"][0], {"address"}) == "172.17.252.207");
    CHECK(text_at(last, {"metadata", "resourceVersion"}) == "130001");
    CHECK_THROWS_AS(SimulatedNodes(SimulatedNodes::limit + 1, 6'000), std::invalid_argument);
}

TEST_CASE("simulated nodes are the same in both encodings", "[lab][simulated]")
{
    Simulation s(100);
    const Json items = s.items();
    const std::string body = s.body("/api/v1/nodes", protobuf);
    const auto lists = values(std::string_view(body).substr(4), 2);
    REQUIRE(lists.size() == 1);
    const auto messages = values(lists[0], 2);
    REQUIRE(messages.size() == items.size());
    for (std::size_t i = 0; i < items.size(); ++i)
        CHECK(messages[i] == encoded(node_message(), items[i]));
    for (std::size_t i = 0; i < 100; ++i)
        CHECK(s.nodes.added(i, Form::protobuf) ==
              protobuf_event("ADDED",
                             to_protobuf("Node", Json::parse(s.nodes.added(i, Form::json))["object"])));
}

TEST_CASE("a simulated node is as long as it was told to be, with what real ones have", "[lab][simulated]")
{
    const auto bytes = GENERATE(std::size_t{8'000}, std::size_t{18'000}, std::size_t{40'000});
    Simulation s(2, bytes);
    const Json node = s.items()[2];
    const std::size_t length = to_text(node).size();
    CHECK(length > bytes * 97 / 100);
    CHECK(length < bytes * 103 / 100);
    CHECK(node["status"]["conditions"].size() == 5);
    CHECK(node["metadata"]["managedFields"].size() == 3);
    CHECK((node["status"]["images"].size() == 50) == (bytes > 15'000));
}

TEST_CASE("a streaming list has the simulated nodes before its mark, and is quiet then", "[lab][simulated]")
{
    Simulation s(200);
    WatchFeed feed(s.f.store, std::get<WatchStart>(s.f.get(streaming, "")));
    std::size_t added = 0;
    std::vector<Frame> frames;
    while (!feed.is_up_to_date()) {
        frames = feed.next();
        added += frames.size();
    }
    CHECK(added == 1 + 200 + 1);
    CHECK(frames.back().what == Frame::What::bookmark);
    CHECK(feed.next().empty());
    s.f.add("b");
    CHECK(s.f.frames(feed) == Texts{"ADDED b"});

    const std::string version = std::to_string(s.f.store.version());
    WatchFeed resumed(s.f.store,
                      std::get<WatchStart>(s.f.get("/api/v1/nodes?watch=1&resourceVersion=" + version, "")));
    CHECK(resumed.next().empty());
}

TEST_CASE("a limit does not bind simulated nodes, and selectors do not find them", "[lab][simulated]")
{
    Simulation s(20);
    s.f.add("b");
    CHECK(Json::parse(s.body("/api/v1/nodes?limit=1")).at("items").size() == 22);
    CHECK(Json::parse(s.body("/api/v1/nodes?labelSelector=l%3Dx")).at("items").size() == 2);
    CHECK(Json::parse(s.body("/api/v1/nodes", "application/json;as=Table;v=v1;g=meta.k8s.io"))
              .at("rows")
              .size() == 2);
}
