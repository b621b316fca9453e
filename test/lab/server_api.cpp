#include "test/lab/server_fixture.h"
#include "test/lab/table.h"

using namespace routelet::lab;
using routelet::test::has_text;

TEST_CASE("a Node is made, read, replaced and deleted", "[lab][api]")
{
    Fixture f;
    const auto made =
        f.ask("POST", "/api/v1/nodes",
              R"({"metadata":{"name":"n1"},"spec":{"podCIDR":"10.244.1.0/24"},"status":{"phase":"x"}})");
    REQUIRE(made.status == 201);
    CHECK(made.body["spec"]["podCIDRs"] == Json::array({"10.244.1.0/24"}));
    CHECK(made.body["status"]["phase"] == "x");
    CHECK(text_at(made.body, {"metadata", "uid"}).size() == 36);

    CHECK(f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status == 409);
    CHECK(f.ask("GET", "/api/v1/nodes/n1").body == made.body);
    CHECK(f.ask("PUT", "/api/v1/nodes/n1", to_text(made.body)).body == made.body);
    Json stale = made.body;
    stale["metadata"]["resourceVersion"] = "1";
    CHECK(f.ask("PUT", "/api/v1/nodes/n1", to_text(stale)).body["reason"] == "Conflict");
    CHECK(f.ask("DELETE", "/api/v1/nodes/n1").body["status"] == "Success");
    CHECK(f.ask("GET", "/api/v1/nodes/n1").body["message"] == "nodes \"n1\" not found");
}

TEST_CASE("what a Node may not be is refused as invalid", "[lab][api]")
{
    Fixture f;
    const auto spec = GENERATE(as<std::string>{}, R"("podCIDR":"10.0.0.0/33")", R"("podCIDR":"x")",
                               R"("podCIDRs":["10.0.0.0/24","10.1.0.0/24"])");
    CHECK(f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"n"},"spec":{)" + spec + "}}").status == 422);
    CHECK(f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"Not_A_Name"}})").status == 422);
    CHECK(f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"n"},"spec":{"podCIDR":"10.001.0.5/24"}})")
              .status == 201);
    CHECK(f.ask("PATCH", "/api/v1/nodes/n", R"({"spec":{"podCIDR":"10.2.0.0/24"}})",
                "application/merge-patch+json")
              .status == 422);
}

TEST_CASE("a Node's name is a DNS subdomain", "[lab][api]")
{
    Fixture f;
    const auto status = [&](const std::string& name) {
        return f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":")" + name + R"("}})").status;
    };
    for (const char* good : {"n", "0", "node-1", "a.b-c.d"})
        CHECK(status(good) == 201);
    for (const char* bad : {"", "-a", "a-", "a..b", ".a", "a.", "a.-b", "a-.b", "A", "a_b"})
        CHECK(status(bad) == 422);
    CHECK(status(std::string(254, 'a')) == 422);
}

TEST_CASE("status changes through /status only, and the rest not there", "[lab][api]")
{
    Fixture f;
    f.add("n");
    const std::string patch = R"({"spec":{"unschedulable":true},"status":{"phase":"p"}})";
    const auto main = f.ask("PATCH", "/api/v1/nodes/n", patch, "application/merge-patch+json");
    CHECK(main.body["spec"]["unschedulable"] == true);
    CHECK_FALSE(main.body.contains("status"));
    const auto status = f.ask("PATCH", "/api/v1/nodes/n/status", R"({"spec":{"x":1},"status":{"phase":"p"}})",
                              "application/strategic-merge-patch+json");
    CHECK(status.body["status"]["phase"] == "p");
    CHECK_FALSE(status.body["spec"].contains("x"));
}

TEST_CASE("a patch for a Node that was made anew is refused", "[lab][api]")
{
    Fixture f;
    f.add("n");
    CHECK(f.ask("PATCH", "/api/v1/nodes/n/status", R"({"metadata":{"uid":"other"}})",
                "application/merge-patch+json")
              .status == 422);
}

TEST_CASE("an object with finalizers is marked, and goes with the last of them", "[lab][api]")
{
    Fixture f;
    REQUIRE(f.ask("POST", "/api/v1/nodes", R"({"metadata":{"name":"n","finalizers":["a/b"]}})").status ==
            201);
    CHECK(f.ask("DELETE", "/api/v1/nodes/n").body["metadata"].contains("deletionTimestamp"));
    CHECK(f.ask("GET", "/api/v1/nodes/n").status == 200);
    CHECK(f.ask("PATCH", "/api/v1/nodes/n", R"({"metadata":{"finalizers":null}})",
                "application/merge-patch+json")
              .status == 200);
    CHECK(f.ask("GET", "/api/v1/nodes/n").status == 404);
}

TEST_CASE("a dry run changes nothing", "[lab][api]")
{
    Fixture f;
    f.add("n");
    const Version before = f.store.version();
    CHECK(f.ask("POST", "/api/v1/nodes?dryRun=All", R"({"metadata":{"name":"m"}})").status == 201);
    CHECK(f.ask("DELETE", "/api/v1/nodes/n?dryRun=All").status == 200);
    CHECK(f.store.version() == before);
}

TEST_CASE("a list comes in pages of one version, until that is forgotten", "[lab][api]")
{
    Fixture f;
    for (const char* name : {"a", "b", "c"})
        f.add(name);
    const auto first = f.ask("GET", "/api/v1/nodes?limit=2");
    CHECK(first.body["items"].size() == 2);
    CHECK(first.body["metadata"]["remainingItemCount"] == 1);
    const std::string token = first.body["metadata"]["continue"];
    f.add("d");

    const auto second = f.ask("GET", "/api/v1/nodes?limit=2&continue=" + token);
    CHECK(second.body["items"].size() == 1);
    CHECK(second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]);
    CHECK_FALSE(second.body["metadata"].contains("continue"));

    f.store.compact();
    const auto late = f.ask("GET", "/api/v1/nodes?limit=2&continue=" + token);
    CHECK(late.status == 410);
    CHECK(late.body["reason"] == "Expired");
    const std::string fresh = late.body["metadata"]["continue"];
    CHECK(f.ask("GET", "/api/v1/nodes?continue=" + fresh).body["items"].size() == 2);
}

TEST_CASE("resourceVersion of a list means what it means to the real server", "[lab][api]")
{
    Fixture f;
    for (const char* name : {"a", "b"})
        f.add(name);
    const std::string now = std::to_string(f.store.version());
    CHECK(f.ask("GET", "/api/v1/nodes?resourceVersion=0&limit=1").body["items"].size() == 2);
    CHECK(f.ask("GET", "/api/v1/nodes?resourceVersion=" + now).body["items"].size() == 2);
    const auto ahead = f.ask("GET", "/api/v1/nodes?resourceVersion=999");
    CHECK(ahead.status == 504);
    CHECK(ahead.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge");
    f.add("c");
    CHECK(f.ask("GET", "/api/v1/nodes?resourceVersionMatch=Exact&resourceVersion=" + now)
              .body["items"]
              .size() == 2);
    f.store.compact();
    CHECK(f.ask("GET", "/api/v1/nodes?limit=5&resourceVersion=" + now).status == 410);
    CHECK(f.ask("GET", "/api/v1/nodes?resourceVersion=abc").status == 400);
}

TEST_CASE("selectors choose what is listed", "[lab][api]")
{
    Fixture f;
    f.add("a", "x");
    f.add("b", "y");
    const auto count = [&](const std::string& query) {
        return f.ask("GET", "/api/v1/nodes?" + query).body["items"].size();
    };
    CHECK(count("labelSelector=l%3Dx") == 1);
    CHECK(count("labelSelector=l!%3Dx") == 1);
    CHECK(count("labelSelector=l") == 2);
    CHECK(count("labelSelector=!l") == 0);
    CHECK(count("labelSelector=l+in+(x,y),l!%3Dx") == 1);
    CHECK(count("labelSelector=l+notin+(x,y)") == 0);
    CHECK(count("fieldSelector=metadata.name%3Db") == 1);
    CHECK(count("fieldSelector=spec.unschedulable%3Dfalse") == 2);
    CHECK(f.ask("GET", "/api/v1/nodes?fieldSelector=status.phase%3Db").status == 400);
}

TEST_CASE("a watch tells what changed, seen through its selector", "[lab][api]")
{
    Fixture f;
    f.add("a", "x");
    const std::string from = std::to_string(f.store.version());
    const auto start = std::get<WatchStart>(
        f.raw("GET", "/api/v1/nodes?watch=1&labelSelector=l%3Dx&resourceVersion=" + from));
    WatchFeed feed(f.store, start);
    CHECK(f.frames(feed).empty());

    f.add("b", "y");
    f.add("c", "x");
    const auto label = [&](const char* name, const char* value) {
        f.ask("PATCH", std::string("/api/v1/nodes/") + name,
              std::string(R"({"metadata":{"labels":{"l":")") + value + R"("}}})",
              "application/merge-patch+json");
    };
    label("b", "x");
    label("a", "y");
    f.ask("DELETE", "/api/v1/nodes/c");
    CHECK(f.frames(feed) == Texts{"ADDED c", "ADDED b", "DELETED a", "DELETED c"});
    CHECK(text_at(Json::parse(feed.bookmark().text), {"object", "metadata", "resourceVersion"}) ==
          std::to_string(f.store.version()));
}

TEST_CASE("a watch from a forgotten version ends with an ERROR event", "[lab][api]")
{
    Fixture f;
    f.add("a");
    f.add("b");
    f.store.compact();
    const auto start = std::get<WatchStart>(f.raw("GET", "/api/v1/nodes?watch=true&resourceVersion=2"));
    WatchFeed feed(f.store, start);
    const auto frames = feed.next();
    REQUIRE(frames.size() == 1);
    CHECK(Json::parse(frames[0].text)["object"]["code"] == 410);
    CHECK(frames[0].text.starts_with(R"({"type":"ERROR","object":{)"));
    CHECK(feed.over());
    CHECK(feed.next().empty());
}

TEST_CASE("a watch without a version begins with all that is there", "[lab][api]")
{
    Fixture f;
    f.add("a");
    f.add("b");
    WatchFeed feed(f.store, std::get<WatchStart>(f.raw("GET", "/api/v1/nodes?watch=1&resourceVersion=0")));
    CHECK(f.frames(feed) == Texts{"ADDED a", "ADDED b"});
    f.add("c");
    CHECK(f.frames(feed) == Texts{"ADDED c"});
}

TEST_CASE("the agent may read Nodes and write Events, and no more", "[lab][api]")
{
    Fixture f;
    f.add("n");
    const auto status = [&](const char* method, const char* target, const char* body = "") {
        return f.ask(method, target, body, "application/json", agent).status;
    };
    CHECK(status("GET", "/api/v1/nodes") == 200);
    CHECK(status("GET", "/api/v1/nodes/n") == 200);
    CHECK(status("POST", "/api/v1/namespaces/default/events", R"({"metadata":{"generateName":"e."}})") ==
          201);
    CHECK(status("GET", "/api/v1/namespaces/default/events") == 403);
    CHECK(status("DELETE", "/api/v1/nodes/n") == 403);
    const auto refused =
        f.ask("PATCH", "/api/v1/nodes/n/status", "{}", "application/merge-patch+json", agent);
    CHECK(refused.status == 403);
    CHECK(refused.body["message"] == "nodes \"n\" is forbidden: User \"agent\" cannot patch resource "
                                     "\"nodes/status\" in API group \"\" at the cluster scope");
}

TEST_CASE("unknown paths, methods and users are refused with a Status", "[lab][api]")
{
    Fixture f;
    CHECK(f.ask("GET", "/api/v1/secrets").status == 404);
    CHECK(f.ask("GET", "/apis/apps/v1/deployments").status == 404);
    CHECK(f.ask("PUT", "/api/v1/nodes", "{}").status == 405);
    CHECK(f.ask("POST", "/api/v1/namespaces/default/pods", "{}").status == 405);
    CHECK(f.ask("POST", "/api/v1/nodes", "no json").status == 400);
    Request nobody;
    nobody.method = "GET";
    set_target(nobody, "/api/v1/nodes");
    CHECK(std::get<Reply>(f.api.answer(nobody, false)).status == 401);
}

TEST_CASE("ages print as kubectl prints them", "[lab][api]")
{
    using namespace std::chrono;
    CHECK(human_duration(119s) == "119s");
    CHECK(human_duration(2min) == "2m");
    CHECK(human_duration(9min + 5s) == "9m5s");
    CHECK(human_duration(179min) == "179m");
    CHECK(human_duration(7h + 3min) == "7h3m");
    CHECK(human_duration(47h) == "47h");
    CHECK(human_duration(49h) == "2d1h");
    CHECK(human_duration(24h * 100) == "100d");
    CHECK(human_duration(24h * 800) == "2y70d");
    CHECK(human_duration(-5s) == "<invalid>");
}
