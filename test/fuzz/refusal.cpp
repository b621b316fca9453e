// The body of an answer other than 200, or of a 200 that is no API server's.
#include "k8sclient/reflector_policy.h"
#include "test/fuzz/target.h"

#include <array>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    using fuzz::require;
    constexpr std::size_t longest_text = 2048; // bytes of somebody else's words in the log, and ours
    static constexpr std::array<const char*, 4> types = {
        "application/json", "application/vnd.kubernetes.protobuf", "text/html", ""};
    static constexpr std::array codes = {200, 400, 401, 403, 404, 410, 422, 429, 500, 503, 504};
    static constexpr std::array of = {k8s::Refusal::Of::node_status, k8s::Refusal::Of::nodes,
                                      k8s::Refusal::Of::events};
    if (size < 2)
        return 0;
    const std::string_view body = fuzz::text_of(data + 2, size - 2);

    for (const auto encoding : {k8s::Encoding::json, k8s::Encoding::protobuf}) {
        const k8s::Status status = k8s::decode_status(encoding, body);
        require(status.code >= 0 && status.code < 1000, "a status code has three digits");
    }
    const k8s::Refusal refusal{.url = "https://10.0.0.1:6443/api/v1/nodes",
                               .origin = "kubeconfig",
                               .code = codes[data[1] % codes.size()],
                               .reason = "Reason",
                               .content_type = types[data[0] % types.size()],
                               .body = body,
                               .of = of[(data[0] >> 6U) % of.size()]};
    const k8s::Failure failure = k8s::describe_refusal(refusal);
    require(failure.status.code == refusal.code, "the code is HTTP's");
    require(!failure.error.text().empty(), "a failure says why");
    require(failure.error.text().size() <= longest_text, "the log is not flooded");
    return 0;
}
