#include "k8sclient/node_status.h"
#include "k8sclient/reflector_policy.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

TEST_CASE("a condition's patch has this one condition, its time and the Node that is meant", "[k8sclient]")
{
    const auto when = std::chrono::system_clock::from_time_t(1767225600);
    k8s::ConditionChange change = {.condition = {.type = "NetworkUnavailable",
                                                 .status = "True",
                                                 .reason = "RouteletNotReady",
                                                 .message = "a \"reason\""},
                                   .node_uid = "uid-1"};
    json expected = json::parse(R"({"metadata": {"uid": "uid-1"}, "status": {"conditions": [{
        "type": "NetworkUnavailable", "status": "True", "reason": "RouteletNotReady", "message": "a \"reason\"",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})");
    CHECK(json::parse(k8s::condition_patch(change, when)) == expected);

    change.is_transition = false; // then the time of the last one stays
    expected["status"]["conditions"][0].erase("lastTransitionTime");
    CHECK(json::parse(k8s::condition_patch(change, when)) == expected);
}

TEST_CASE("a write that is refused says what to do about it", "[k8sclient]")
{
    struct Row {
        k8s::Refusal::Of of;
        int code;
        std::string body;
        std::string remedy;
    };
    using Of = k8s::Refusal::Of;
    const auto row = GENERATE(values<Row>({
        {Of::node_status, 403, "no",
         "; the RBAC rule it needs: apiGroups [\"\"], resources [nodes/status], verbs [patch]"},
        {Of::events, 403, "no",
         "; the RBAC rule it needs: apiGroups [\"\"], resources [events], verbs [create, patch]"},
        {Of::node_status, 415, "no",
         "; this is a bug of Routelet's, or an admission policy's doing: please report it"},
        {Of::node_status, 413, "no",
         "; this is a bug of Routelet's, or an admission policy's doing: please report it"},
        {Of::events, 422, "no",
         "; this is a bug of Routelet's, or an admission policy's doing: please report it"},
        {Of::node_status, 422, "metadata.uid: Invalid value", ""},
        {Of::node_status, 404, "no", ""},
        {Of::node_status, 500, "no", ""},
    }));
    CAPTURE(row.code);
    const auto failure = k8s::describe_refusal({.url = "https://api/api/v1/x",
                                                .origin = "in-cluster",
                                                .code = row.code,
                                                .reason = "Reason",
                                                .content_type = "text/plain",
                                                .body = row.body,
                                                .of = row.of,
                                                .method = "PATCH"});
    CHECK(failure.error.context ==
          "PATCH https://api/api/v1/x: " + std::to_string(row.code) + " Reason: " + row.body + row.remedy);
}
