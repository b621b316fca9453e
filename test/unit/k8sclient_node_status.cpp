#include "k8sclient/node_status.h"
#include "k8sclient/reflector_policy.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

TEST_CASE("a condition's patch has this one condition and its time", "[k8sclient]")
{
    const auto when = std::chrono::system_clock::from_time_t(1767225600);
    const std::string patch = k8s::condition_patch({.type = "NetworkUnavailable",
                                                    .status = "True",
                                                    .reason = "RouteletNotReady",
                                                    .message = "a \"reason\""},
                                                   when);
    CHECK(json::parse(patch) == json::parse(R"({"status": {"conditions": [{
        "type": "NetworkUnavailable", "status": "True", "reason": "RouteletNotReady", "message": "a \"reason\"",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})"));
}

TEST_CASE("a patch that is refused names the rule that it needs", "[k8sclient]")
{
    const auto failure = k8s::describe_refusal({.url = "https://api/api/v1/nodes/node01/status",
                                                .origin = "in-cluster",
                                                .code = 403,
                                                .reason = "Forbidden",
                                                .content_type = "text/plain",
                                                .body = "no",
                                                .is_status_patch = true});
    CHECK(failure.error.context ==
          "PATCH https://api/api/v1/nodes/node01/status: 403 Forbidden: no; the RBAC "
          "rule it needs: apiGroups [\"\"], resources [nodes/status], verbs [patch]");
}
