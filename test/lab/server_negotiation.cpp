#include "test/lab/captured.h"
#include "test/lab/protobuf.h"
#include "test/lab/server_fixture.h"

using namespace routelet::lab;
using routelet::test::has_text;

namespace {

constexpr auto protobuf = "application/vnd.kubernetes.protobuf";
constexpr auto both = "application/vnd.kubernetes.protobuf, application/json";
constexpr auto table = "application/json;as=Table;v=v1;g=meta.k8s.io";

Form form_of(const std::string& accept)
{
    return negotiate(accept, {.table = true, .protobuf = true});
}

const Reply& reply_of(const Answer& answer)
{
    return std::get<Reply>(answer);
}

} // namespace

TEST_CASE("the client's preference decides on the form of an answer", "[lab][negotiation]")
{
    CHECK(form_of("") == Form::json);
    CHECK(form_of("*/*") == Form::json);
    CHECK(form_of("*") == Form::json);
    CHECK(form_of("application/*") == Form::json);
    CHECK(form_of(protobuf) == Form::protobuf);
    CHECK(form_of(both) == Form::protobuf);
    CHECK(form_of("application/json,application/vnd.kubernetes.protobuf") == Form::json);
    CHECK(form_of("application/json;q=0.5, application/vnd.kubernetes.protobuf;q=0.9") == Form::protobuf);
    CHECK(form_of("application/vnd.kubernetes.protobuf;q=0.1,application/json;q=0.2") == Form::json);
    CHECK(form_of("*/*, application/vnd.kubernetes.protobuf") == Form::protobuf);
    CHECK(form_of("text/html, application/vnd.kubernetes.protobuf;stream=watch") == Form::protobuf);
    CHECK(form_of("application/vnd.kubernetes.protobuf;stream=other, */*") == Form::json);
}

TEST_CASE("a Table comes in JSON, of version v1", "[lab][negotiation]")
{
    CHECK(form_of(std::string(table) + ",application/json") == Form::table);
    CHECK(form_of("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json") == Form::json);
    CHECK(form_of("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json") ==
          Form::json);
    CHECK(form_of("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, " + std::string(both)) ==
          Form::protobuf);
    CHECK(negotiate_status(std::string(table) + ",application/json") == Form::json);
}

TEST_CASE("lists, objects, watches and refusals come in the form that was negotiated", "[lab][negotiation]")
{
    Fixture f;
    f.add("n");
    const auto type = [&](const std::string& target) { return reply_of(f.get(target, both)).content_type; };
    for (const char* target : {"/api/v1/nodes", "/api/v1/nodes/n", "/api/v1/nodes/nosuch",
                               "/api/v1/nodes?continue=x", "/api/v1/namespaces/default/events/nosuch"})
        CHECK(type(target) == "application/vnd.kubernetes.protobuf");

    const Object node = f.store.find("nodes/n");
    CHECK(reply_of(f.get("/api/v1/nodes/n", both)).body == to_protobuf("Node", *node));
    CHECK(reply_of(f.get("/api/v1/nodes", both)).body ==
          node_list_to_protobuf({{"resourceVersion", std::to_string(f.store.version())}}, {node}));
    CHECK(reply_of(f.get("/api/v1/nodes/nosuch", both)).body == captured("not_found.pb"));

    const auto watch = std::get<WatchStart>(f.get("/api/v1/nodes?watch=1", both));
    CHECK(watch.form == Form::protobuf);
    CHECK(watch_content_type(watch.form) == "application/vnd.kubernetes.protobuf;stream=watch");
    const auto deleted = f.raw("DELETE", "/api/v1/nodes/n", "", "", admin, both);
    CHECK(reply_of(deleted).content_type == "application/vnd.kubernetes.protobuf");
}

TEST_CASE("what has no schema here stays JSON", "[lab][negotiation]")
{
    Fixture f;
    CHECK(reply_of(f.get("/api/v1/events", both)).content_type == "application/json");
    CHECK(reply_of(f.get("/api/v1/events", protobuf)).status == 406);
}

TEST_CASE("406 says in JSON what there is", "[lab][negotiation]")
{
    Fixture f;
    const auto target = GENERATE(as<std::string>{}, "/api/v1/nodes", "/api/v1/nodes?watch=1");
    const auto accept = GENERATE(as<std::string>{}, "text/html", "application/yaml", "application/json/x",
                                 "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io");
    CAPTURE(target, accept);
    const Answer answer = f.get(target, accept);
    const auto& reply = reply_of(answer);
    CHECK(reply.status == 406);
    CHECK(reply.content_type == "application/json");
    const Json status = Json::parse(reply.body);
    CHECK(status["kind"] == "Status");
    CHECK(status["reason"] == "NotAcceptable");
    CHECK_THAT(status["message"].get<std::string>(), has_text(protobuf));
}
