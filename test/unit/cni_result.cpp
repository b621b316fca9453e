#include "cni/error.h"
#include "cni/result.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;
using nlohmann::json;

namespace {

enum class Stack { v4, dual };

AttachmentResult sample(Stack stack)
{
    AttachmentResult result;
    result.interfaces = {{"v-net-0", "0a:58:0a:f4:01:01", "", 1500},
                         {"veth0123456789a", "0a:59:00:00:00:01", "", 1500},
                         {"eth0", "0a:58:0a:f4:01:02", "/run/netns/pod", 1500}};
    result.addresses = {{"10.244.1.2"_ip, 24, "10.244.1.1"_ip, 2}};
    result.routes = {{"0.0.0.0/0"_net, "10.244.1.1"_ip}};
    if (stack == Stack::dual) {
        result.addresses.push_back({"fd00::2"_ip, 64, "fd00::1"_ip, 2});
        result.routes.push_back({"::/0"_net, "fd00::1"_ip});
    }
    return result;
}

// What the specification's text of that version describes, written out by hand.
json golden(CniVersion version, Stack stack)
{
    json document = json::parse(R"({
        "interfaces": [{"name": "v-net-0", "mac": "0a:58:0a:f4:01:01"},
                       {"name": "veth0123456789a", "mac": "0a:59:00:00:00:01"},
                       {"name": "eth0", "mac": "0a:58:0a:f4:01:02", "sandbox": "/run/netns/pod"}],
        "ips": [{"interface": 2, "address": "10.244.1.2/24", "gateway": "10.244.1.1"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.244.1.1"}]})");
    document["cniVersion"] = to_string(version);
    if (stack == Stack::dual) {
        document["ips"].push_back({{"interface", 2}, {"address", "fd00::2/64"}, {"gateway", "fd00::1"}});
        document["routes"].push_back({{"dst", "::/0"}, {"gw", "fd00::1"}});
    }
    if (version < CniVersion::v1_0_0) {
        document["ips"][0]["version"] = "4";
        if (stack == Stack::dual)
            document["ips"][1]["version"] = "6";
    }
    if (version == CniVersion::v1_1_0)
        for (json& interface : document["interfaces"])
            interface["mtu"] = 1500;
    return document;
}

} // namespace

TEST_CASE("a result has the shape of the version that was asked for", "[cni][result]")
{
    for (const CniVersion version : supported_versions)
        for (const Stack stack : {Stack::v4, Stack::dual}) {
            CAPTURE(to_string(version), stack == Stack::dual);
            CHECK(json::parse(render_result(sample(stack), version)) == golden(version, stack));
        }
}

TEST_CASE("a prevResult of every version reads as what was rendered", "[cni][result]")
{
    for (const CniVersion version : supported_versions) {
        CAPTURE(to_string(version));
        const AttachmentResult read =
            need(parse_result(json::parse(render_result(sample(Stack::dual), version))));
        CHECK(json::parse(render_result(read, CniVersion::v0_4_0)) ==
              golden(CniVersion::v0_4_0, Stack::dual));
    }
}

TEST_CASE("the configuration's dns is handed on, and only when there is any", "[cni][result]")
{
    AttachmentResult result = sample(Stack::v4);
    CHECK_FALSE(json::parse(render_result(result, CniVersion::v1_0_0)).contains("dns"));
    result.dns = R"({"nameservers": ["10.96.0.10"]})";
    CHECK(json::parse(render_result(result, CniVersion::v1_0_0))["dns"]["nameservers"][0] == "10.96.0.10");
}

TEST_CASE("a chain's result is kept, and our indexes move behind its interfaces", "[cni][result]")
{
    AttachmentResult before;
    before.interfaces = {{"dummy0", "", "", 0}};
    before.addresses = {{"192.0.2.1"_ip, 32, {}, 0}};
    const AttachmentResult all = append_result(before, sample(Stack::v4));
    REQUIRE(all.interfaces.size() == 4);
    REQUIRE(all.addresses.size() == 2);
    CHECK(all.addresses[0].interface == 0U);
    CHECK(all.addresses[1].interface == 3U);
    CHECK(all.interfaces[3].name == "eth0");
}

TEST_CASE("a prevResult with nonsense in it does not decode", "[cni][result]")
{
    const auto text = GENERATE("[]", "1", R"({"interfaces": 1})", R"({"interfaces": [1]})",
                               R"({"interfaces": [{"name": 1}]})", R"({"ips": [{"address": "10.0.0.1"}]})",
                               R"({"ips": [{"address": "10.0.0.1/33"}]})", R"({"ips": [{"address": "/24"}]})",
                               R"({"ips": [{}]})", R"({"ips": [{"address": "10.0.0.1/24", "gateway": "x"}]})",
                               R"({"routes": [{"dst": "default"}]})", R"({"routes": {}})");
    CAPTURE(text);
    const Result<AttachmentResult> result = parse_result(json::parse(text));
    REQUIRE_FALSE(result.has_value());
    CHECK(has_code(result.error(), ErrorCode::decoding_failure));
    CHECK_THAT(message_of(result.error()), has_text("prevResult"));
}

TEST_CASE("an error object has the four keys, also for an errno and for text that is not UTF-8",
          "[cni][result]")
{
    const json ours = json::parse(render_error(failure(ErrorCode::invalid_config, "no \"name\""), "1.0.0"));
    CHECK(ours == json{{"cniVersion", "1.0.0"},
                       {"code", 7},
                       {"msg", "no \"name\""},
                       {"details", "invalid network configuration"}});
    const json kernels = json::parse(
        render_error(make_error(boost::system::errc::permission_denied, "making veth \xff"), "0.4.0"));
    CHECK(kernels["code"] == 100);
    CHECK_THAT(kernels["msg"].get<std::string>(), has_text("Permission denied"));
}

TEST_CASE("VERSION answers with the version that asked, or our highest", "[cni][result]")
{
    CHECK(json::parse(render_versions("0.4.0"))["cniVersion"] == "0.4.0");
    const json answer = json::parse(render_versions(""));
    CHECK(answer["cniVersion"] == "1.1.0");
    CHECK(answer["supportedVersions"] == json{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"});
}
