#include "cni/config.h"
#include "cni/error.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

#include <netinet/in.h>

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;
using nlohmann::json;

namespace {

json minimal()
{
    return json::parse(R"({"cniVersion": "1.1.0", "name": "routelet", "type": "routelet-cni",
                           "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]]}})");
}

// `minimal()` with one value replaced or added, at a JSON pointer.
std::string changed(const std::string& pointer, const std::string& value)
{
    json document = minimal();
    document[json::json_pointer(pointer)] = json::parse(value);
    return document.dump();
}

Config parsed(const std::string& text, Verb verb = Verb::add)
{
    return need(parse_config(text, verb, {}));
}

Error refused(const std::string& text, Verb verb = Verb::add, const CniArgs& args = {})
{
    const Result<Config> config = parse_config(text, verb, args);
    CAPTURE(text);
    REQUIRE_FALSE(config.has_value());
    return config.error();
}

} // namespace

TEST_CASE("a short configuration gets the defaults", "[cni][config]")
{
    const Config config = parsed(minimal().dump());
    CHECK(config.network.name == "routelet");
    CHECK(config.network.data_dir == "/run/routelet/ipam");
    CHECK(config.pod->bridge == "v-net-0");
    CHECK(config.pod->mtu == 0);
    CHECK(config.pod->hairpin);
    CHECK_FALSE(config.pod->spoof_check);
    REQUIRE(config.pod->range_sets.size() == 1);
    const AddressRange& range = config.pod->range_sets[0].ranges()[0];
    CHECK(range.gateway() == "10.244.1.1"_ip);
    CHECK(range.last() == "10.244.1.254"_ip);
    CHECK(config.pod->routes == std::vector<ResultRoute>{{"0.0.0.0/0"_net, "10.244.1.1"_ip}});
}

TEST_CASE("the log and the agent's file are none unless they are named", "[cni][config]")
{
    json document = minimal();
    CHECK(parsed(document.dump()).network.log.file.empty());
    CHECK(parsed(document.dump()).pod->agent_state.empty());

    document["logFile"] = "/run/routelet/cni.log";
    document["agentState"] = "/run/routelet/converged";
    CHECK(parsed(document.dump()).network.log.level == LogLevel::warn);
    document["logLevel"] = "debug";
    for (const Verb verb : {Verb::add, Verb::del, Verb::gc, Verb::status}) {
        const LogSettings log = parsed(document.dump(), verb).network.log;
        CHECK(log.file == "/run/routelet/cni.log");
        CHECK(log.level == LogLevel::debug);
    }
    CHECK(parsed(document.dump()).pod->agent_state == "/run/routelet/converged");
}

TEST_CASE("where to log is found in a configuration that has other faults", "[cni][config]")
{
    CHECK(asked_log(R"({"name": 1, "logFile": "/log", "logLevel": "info"})").level == LogLevel::info);
    CHECK(asked_log(R"({"logFile": "/log"})").file == "/log");
    for (const char* text : {"", "[]", R"({"logFile": "log"})", R"({"logFile": "/log", "logLevel": 1})"}) {
        CAPTURE(text);
        CHECK(asked_log(text).file.empty());
    }
}

TEST_CASE("null and unknown keys are as if they were not there", "[cni][config]")
{
    json document = minimal();
    document["mtu"] = nullptr;
    document["bridge"] = nullptr;
    document["dns"] = nullptr;
    document["prevResult"] = nullptr;
    document["somethingNew"] = {{"x", 1}};
    const Config config = parsed(document.dump());
    CHECK(config.pod->bridge == "v-net-0");
    CHECK_FALSE(config.pod->previous.has_value());
}

TEST_CASE("a subnet by itself stands for the first range set", "[cni][config]")
{
    const Config config = parsed(changed(
        "/ipam",
        R"({"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.10", "ranges": [[{"subnet": "fd00::/64"}]]})"));
    REQUIRE(config.pod->range_sets.size() == 2);
    CHECK(config.pod->range_sets[0].ranges()[0].first() == "10.244.1.10"_ip);
    CHECK(config.pod->range_sets[1].family() == IpFamily::v6);
    CHECK(config.pod->routes ==
          std::vector<ResultRoute>{{"0.0.0.0/0"_net, "10.244.1.1"_ip}, {"::/0"_net, "fd00::1"_ip}});
}

TEST_CASE("a default route of the configuration's own is not doubled", "[cni][config]")
{
    const auto routes =
        GENERATE(R"([{"dst": "0.0.0.0/0"}])", R"([{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0"}])",
                 R"([{"dst": "0.0.0.0/0", "gw": "10.244.1.1"}])");
    const Config config = parsed(changed("/ipam/routes", routes));
    CHECK(config.pod->routes == std::vector<ResultRoute>{{"0.0.0.0/0"_net, "10.244.1.1"_ip}});
}

TEST_CASE("without isDefaultGateway only the configured routes are made", "[cni][config]")
{
    json document = json::parse(changed("/ipam/routes", R"([{"dst": "10.0.0.0/8"}])"));
    document["isDefaultGateway"] = false;
    CHECK(parsed(document.dump()).pod->routes ==
          std::vector<ResultRoute>{{"10.0.0.0/8"_net, "10.244.1.1"_ip}});
}

TEST_CASE("pods are joined by a bridge unless the node is to route to each", "[cni][config]")
{
    CHECK(parsed(minimal().dump()).pod->mode == Mode::bridge);
    CHECK(parsed(changed("/mode", R"("bridge")")).pod->mode == Mode::bridge);
    CHECK(parsed(changed("/mode", R"("ptp")")).pod->mode == Mode::ptp);
}

TEST_CASE("pods are checked for addresses that are not theirs where that is asked for", "[cni][config]")
{
    CHECK(parsed(changed("/spoofCheck", "true")).pod->spoof_check);
    CHECK_FALSE(parsed(changed("/spoofCheck", "false")).pod->spoof_check);
    CHECK_THAT(message_of(refused(changed("/spoofCheck", "\"on\""))), has_text("\"spoofCheck\""));
}

TEST_CASE("input that is not one JSON object fails to decode", "[cni][config]")
{
    const std::string text =
        GENERATE(as<std::string>{}, "", "{", "[]", "1", "null", "{} {}", R"({"a": 1} x)",
                 "{\"name\": \"\xff\"}", std::string(100'000, '['), "{\"a\":" + std::string(100'000, '['),
                 "{\"a\":\"" + std::string("\\\"", 2) + "\",\"b\":" + std::string(65, '['));
    CHECK(has_code(refused(text), ErrorCode::decoding_failure));
}

TEST_CASE("brackets inside a string are no nesting", "[cni][config]")
{
    CHECK(parsed(changed("/note", "\"\\\"" + std::string(1000, '{') + "\"")).network.name == "routelet");
}

TEST_CASE("a version that is not ours is refused, with the list of those that are", "[cni][config]")
{
    const auto version = GENERATE(R"("9.9.9")", R"("abc")", R"("1.0")", R"("0.2.0")", R"("")");
    const Error error = refused(changed("/cniVersion", version));
    CHECK(has_code(error, ErrorCode::incompatible_version));
    CHECK_THAT(message_of(error), has_text("0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0"));
}

TEST_CASE("a configuration without a version is of a version before ours", "[cni][config]")
{
    json document = minimal();
    document.erase("cniVersion");
    CHECK(has_code(refused(document.dump()), ErrorCode::incompatible_version));
}

TEST_CASE("a command that its version does not have is refused", "[cni][config]")
{
    CHECK(has_code(refused(changed("/cniVersion", R"("0.3.1")"), Verb::check),
                   ErrorCode::incompatible_version));
    CHECK(has_code(refused(changed("/cniVersion", R"("1.0.0")"), Verb::gc), ErrorCode::incompatible_version));
    CHECK(has_code(refused(changed("/cniVersion", R"("1.0.0")"), Verb::status),
                   ErrorCode::incompatible_version));
    CHECK(parse_config(changed("/cniVersion", R"("0.4.0")"), Verb::check, {}).has_value());
}

TEST_CASE("a wrong value is refused by the name of its key", "[cni][config]")
{
    const auto [pointer, value, complaint] = GENERATE(table<std::string, std::string, std::string>({
        {"/name", "null", "\"name\" is missing"},
        {"/name", R"("")", "\"name\""},
        {"/name", R"("../etc")", "\"name\""},
        {"/name", R"("a/b")", "\"name\""},
        {"/name", R"("-a")", "\"name\""},
        {"/name", "\"" + std::string(300, 'a') + "\"", "\"name\""},
        {"/name", "7", "\"name\" is a number"},
        {"/cniVersion", "1", "\"cniVersion\" is a number"},
        {"/bridge", "1", "\"bridge\" is a number"},
        {"/bridge", R"("sixteen-bytes-xx")", "\"bridge\""},
        {"/bridge", R"("a/b")", "\"bridge\""},
        {"/mtu", R"("1500")", "\"mtu\" is a string"},
        {"/mtu", "1500.5", "\"mtu\" is a number; it has to be a whole number"},
        {"/mtu", "-1", "\"mtu\" is -1"},
        {"/mtu", "67", "\"mtu\" is 67"},
        {"/mtu", "65536", "\"mtu\" is 65536"},
        {"/mtu", "18446744073709551615", "\"mtu\""},
        {"/hairpinMode", R"("true")", "\"hairpinMode\" is a string"},
        {"/isDefaultGateway", "1", "\"isDefaultGateway\" is a number"},
        {"/dns", "[]", "\"dns\" is a array"},
        {"/agentState", "1", "\"agentState\" is a number"},
        {"/agentState", R"("relative/path")", "not an absolute path"},
        {"/logFile", "1", "\"logFile\" is a number"},
        {"/logFile", R"("relative/path")", "not an absolute path"},
        {"/logLevel", "1", "\"logLevel\" is a number"},
        {"/logLevel", R"("loud")", "\"logLevel\" is \"loud\""},
        {"/prevResult", "[]", "\"prevResult\""},
        {"/ipam", "[]", "\"ipam\" is a array"},
        {"/ipam", "null", "\"ipam\" is missing"},
        {"/ipam", "{}", "neither \"ranges\" nor \"subnet\""},
        {"/ipam/dataDir", "1", "\"dataDir\" is a number"},
        {"/ipam/dataDir", R"("relative/path")", "not an absolute path"},
        {"/ipam/ranges", "{}", "\"ranges\" is a object"},
        {"/ipam/ranges", "[]", "neither \"ranges\" nor \"subnet\""},
        {"/ipam/ranges", "[[]]", "a set of ranges is empty"},
        {"/ipam/ranges", "[{}]", "\"ranges\" has an entry that is not a list"},
        {"/ipam/ranges", "[[1]]", "\"ranges\" has an entry that is not an object"},
        {"/ipam/ranges", "[[{}]]", "no \"subnet\""},
        {"/ipam/ranges/0/0/subnet", R"("10.244.1.7/24")", "\"subnet\" is \"10.244.1.7/24\""},
        {"/ipam/ranges/0/0/subnet", R"("10.244.1.0/31")", "too small"},
        {"/ipam/ranges/0/0/subnet", R"("10.244.1.1/32")", "too small"},
        {"/ipam/ranges/0/0/subnet", R"("fd00::/127")", "too small"},
        {"/ipam/ranges/0/0/subnet", R"("127.0.0.0/8")", "no addresses for hosts"},
        {"/ipam/ranges/0/0/subnet", R"("224.0.0.0/24")", "no addresses for hosts"},
        {"/ipam/ranges/0/0/subnet", R"("::ffff:10.0.0.0/120")", "no addresses for hosts"},
        {"/ipam/ranges/0/0/rangeStart", R"("10.244.2.1")", "rangeStart 10.244.2.1 is outside"},
        {"/ipam/ranges/0/0/rangeEnd", R"("10.244.2.1")", "rangeEnd 10.244.2.1 is outside"},
        {"/ipam/ranges/0/0/rangeEnd", R"("x")", "\"rangeEnd\" is \"x\""},
        {"/ipam/ranges/0/0/gateway", R"("10.244.2.1")", "gateway 10.244.2.1 is outside"},
        {"/ipam/ranges/0/0/gateway", R"("10.244.1.255")", "broadcast"},
        {"/ipam/ranges/0/0/gateway", R"("fd00::1")", "outside"},
        {"/ipam/ranges/0/0",
         R"({"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.9", "rangeEnd": "10.244.1.8"})", "is after"},
        {"/ipam/ranges/0/0",
         R"({"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.1", "rangeEnd": "10.244.1.1"})",
         "offers no address"},
        {"/ipam/ranges", R"([[{"subnet": "10.0.0.0/24"}, {"subnet": "fd00::/64"}]])", "both IPv4 and IPv6"},
        {"/ipam/ranges", R"([[{"subnet": "10.0.0.0/24"}, {"subnet": "10.0.0.0/25"}]])", "overlap"},
        {"/ipam/ranges", R"([[{"subnet": "10.0.0.0/24"}], [{"subnet": "10.0.0.0/25"}]])", "overlap"},
        {"/ipam/routes", "{}", "\"routes\" is a object"},
        {"/ipam/routes", "[1]", "\"routes\""},
        {"/ipam/routes", R"([{"gw": "10.244.1.1"}])", "\"dst\""},
        {"/ipam/routes", R"([{"dst": "::/0"}])", "no range has addresses of that family"},
        {"/ipam/routes", R"([{"dst": "10.0.0.0/8", "gw": "fd00::1"}])", "not of the family"},
        {"/ipam/routes",
         R"([{"dst": "10.0.0.0/8", "gw": "10.244.1.2"}, {"dst": "10.0.0.0/8", "gw": "10.244.1.3"}])",
         "10.0.0.0/8 twice"},
        {"/ipam/routes", R"([{"dst": "10.244.1.0/24"}])", "10.244.1.0/24, which is a range's own subnet"},
        {"/args", "[]", "\"args\" is a array"},
        {"/args", R"({"cni": {"ips": ["10.244.1.5", "10.244.1.6"]}})", "two addresses of 10.244.1.1-"},
        {"/args", R"({"cni": {"ips": ["x"]}})", "requested address \"x\""},
        {"/args", R"({"cni": {"ips": ["10.9.9.9"]}})", "in none of the ranges"},
        {"/args", R"({"cni": {"ips": ["10.244.1.1"]}})", "in none of the ranges"},
        {"/args", R"({"cni": {"ips": ["10.244.1.255/24"]}})", "in none of the ranges"},
        {"/runtimeConfig", R"({"mac": "xx"})", "MAC address \"xx\""},
        {"/runtimeConfig", R"({"mac": "01:00:5e:00:00:01"})", "MAC address"},
    }));
    CAPTURE(pointer, value);
    const Error error = refused(changed(pointer, value));
    CHECK(has_code(error, ErrorCode::invalid_config));
    CHECK_THAT(message_of(error), has_text(complaint));
}

TEST_CASE("IPv6 needs its smallest MTU", "[cni][config]")
{
    json document = json::parse(changed("/ipam/ranges", R"([[{"subnet": "fd00::/64"}]])"));
    document["mtu"] = 1279;
    CHECK_THAT(message_of(refused(document.dump())), has_text("1280"));
    document["mtu"] = 1280;
    CHECK(parsed(document.dump()).pod->mtu == 1280);
}

TEST_CASE("what we do not do is refused with key and value, not left out in silence", "[cni][config]")
{
    const auto [pointer, value, complaint] = GENERATE(table<std::string, std::string, std::string>({
        {"/ipam/type", R"("dhcp")", "\"type\": \"dhcp\""},
        {"/ipam/resolvConf", R"("/etc/resolv.conf")", "\"resolvConf\": \"/etc/resolv.conf\""},
        {"/mode", R"("vlan")", "\"mode\": \"vlan\""},
        {"/ipMasq", "true", "\"ipMasq\": true"},
        {"/macspoofchk", "true", "\"macspoofchk\": true is not supported; there is \"spoofCheck\""},
        {"/promiscMode", "true", "\"promiscMode\": true"},
        {"/isGateway", "false", "\"isGateway\": false"},
        {"/vlan", "7", "\"vlan\": 7"},
        {"/ipam/routes", R"([{"dst": "0.0.0.0/0", "mtu": 1400}])", "\"mtu\": 1400"},
    }));
    const Error error = refused(changed(pointer, value));
    CHECK(has_code(error, ErrorCode::unsupported_field));
    CHECK_THAT(message_of(error), has_text(complaint));
}

TEST_CASE("DEL looks at nothing that could have changed since ADD", "[cni][config]")
{
    const auto [pointer, value] = GENERATE(table<std::string, std::string>({
        {"/ipam/ranges", "7"},
        {"/ipam/ranges", R"([[{"subnet": "nonsense"}]])"},
        {"/ipam/type", R"("dhcp")"},
        {"/mtu", R"("x")"},
        {"/bridge", "{}"},
        {"/prevResult", "[]"},
        {"/runtimeConfig", "1"},
    }));
    CAPTURE(pointer);
    const Config config = parsed(changed(pointer, value), Verb::del);
    CHECK(config.network.name == "routelet");
    CHECK_FALSE(config.pod.has_value());
}

TEST_CASE("the strongest wish for a MAC address wins, and all wished addresses count", "[cni][config]")
{
    json document =
        json::parse(changed("/ipam/ranges", R"([[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00::/64"}]])"));
    const CniArgs args{.address = "10.244.1.5", .mac = "0a:58:00:00:00:01"};
    CHECK(need(parse_config(document.dump(), Verb::add, args)).pod->wanted_mac->to_string() ==
          "0a:58:00:00:00:01");
    document["args"]["cni"] = {{"mac", "0a:58:00:00:00:02"}, {"ips", {"fd00::6/64"}}};
    CHECK(need(parse_config(document.dump(), Verb::add, args)).pod->wanted_mac->to_string() ==
          "0a:58:00:00:00:02");
    document["runtimeConfig"] = {{"mac", "0a:58:00:00:00:03"}, {"ips", {"10.244.1.5"}}};

    const PodNetwork pod = *need(parse_config(document.dump(), Verb::add, args)).pod;
    CHECK(pod.wanted_mac->to_string() == "0a:58:00:00:00:03");
    CHECK(pod.wanted_addresses == std::vector<IpAddress>{"10.244.1.5"_ip, "fd00::6"_ip});
}

TEST_CASE("ports that the runtime asks for are read, in any spelling that a runtime has", "[cni][config]")
{
    const auto mappings = GENERATE(
        R"([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
            {"hostPort": 53, "containerPort": 5353, "protocol": "udp", "hostIP": "192.168.1.11"}])", // CRI-O
        R"([{"HostPort": 8080, "ContainerPort": 80, "Protocol": "TCP", "HostIP": ""},
            {"HostPort": 53, "ContainerPort": 5353, "Protocol": "udp", "HostIP": "192.168.1.11"}])"); // containerd
    const Config config =
        parsed(changed("/runtimeConfig", std::string(R"({"portMappings": )") + mappings + "}"));
    CHECK(config.pod->port_mappings ==
          std::vector<PortMapping>{{IPPROTO_TCP, {}, 8080, 80}, {IPPROTO_UDP, "192.168.1.11"_ip, 53, 5353}});
}

TEST_CASE("GC refuses a list with an entry that it does not understand", "[cni][config]")
{
    const auto [list, complaint] = GENERATE(table<std::string, std::string>({
        {"[{}]", "without \"containerID\""},
        {R"([{"containerID": "one"}])", "without \"ifname\""},
        {R"([{"containerID": "one", "ifname": ""}])", "without \"ifname\""},
        {R"([{"containerId": "one", "ifname": "eth0"}])", "without \"containerID\""},
        {R"([{"containerID": 1, "ifname": "eth0"}])", "\"containerID\" is a number"},
        {R"([1])", "not an object"},
        {R"({})", "not a list"},
    }));
    const Error error = refused(changed("/cni.dev~1valid-attachments", list), Verb::gc);
    CHECK(has_code(error, ErrorCode::invalid_config));
    CHECK_THAT(message_of(error), has_text(complaint));
}

TEST_CASE("GC tells an absent list from an empty one", "[cni][config]")
{
    CHECK_FALSE(parsed(minimal().dump(), Verb::gc).valid_attachments.has_value());
    CHECK(parsed(changed("/cni.dev~1valid-attachments", "[]"), Verb::gc).valid_attachments->empty());
    CHECK(parsed(changed("/cni.dev~1valid-attachments", "null"), Verb::gc).valid_attachments->empty());
    const Config config = parsed(
        changed("/cni.dev~1valid-attachments", R"([{"containerID": "a", "ifname": "eth0"}])"), Verb::gc);
    CHECK(*config.valid_attachments == std::vector<AttachmentId>{{"a", "eth0"}});
}

TEST_CASE("ranges that the runtime names come before those of the configuration", "[cni][config]")
{
    const Config config = parsed(changed("/runtimeConfig", R"({"ipRanges": [
        [{"subnet": "10.9.0.0/24", "rangeStart": "10.9.0.7"}, {"subnet": "10.9.1.0/24"}], [{"subnet": "fd00::/64"}]]})"));
    REQUIRE(config.pod->range_sets.size() == 3);
    CHECK(config.pod->range_sets[0].ranges().size() == 2);
    CHECK(config.pod->range_sets[0].ranges()[0].first() == "10.9.0.7"_ip);
    CHECK(config.pod->range_sets[1].family() == IpFamily::v6);
    CHECK(config.pod->range_sets[2].ranges()[0].subnet() == "10.244.1.0/24"_net);
    // The first of a family is what default routes go by.
    CHECK(config.pod->routes ==
          std::vector<ResultRoute>{{"0.0.0.0/0"_net, "10.9.0.1"_ip}, {"::/0"_net, "fd00::1"_ip}});
    for (const char* empty : {"null", R"({"ipRanges": null})", R"({"ipRanges": []})"})
        CHECK(parsed(changed("/runtimeConfig", empty)).pod->range_sets.size() == 1);
}

TEST_CASE("ranges that the runtime names are judged like any", "[cni][config]")
{
    const auto ranges = GENERATE(R"([[{"subnet": "10.244.1.0/25"}]])", R"([[]])", R"({})", R"([[{}]])",
                                 R"([[{"subnet": "10.9.0.0/31"}]])");
    CHECK(has_code(refused(changed("/runtimeConfig", std::string(R"({"ipRanges": )") + ranges + "}")),
                   ErrorCode::invalid_config));
}

TEST_CASE("an address that is asked for may have a length, which has to be one", "[cni][config]")
{
    CniArgs args;
    args.address = GENERATE("10.244.1.7", "10.244.1.7/24", "10.244.1.7/32", "10.244.1.7/0");
    CHECK(need(parse_config(minimal().dump(), Verb::add, args)).pod->wanted_addresses ==
          std::vector<IpAddress>{"10.244.1.7"_ip});
    args.address = GENERATE("10.244.1.7/", "10.244.1.7/33", "10.244.1.7/x", "10.244.1.7/24/", "10.244.1.7/-1",
                            "10.244.1.7/ 24", "/24", "10.244.1.7/99999999999");
    CHECK_THAT(message_of(refused(minimal().dump(), Verb::add, args)), has_text("is not one"));
}

TEST_CASE("a freed address rests for a minute unless the configuration says otherwise", "[cni][config]")
{
    CHECK(parsed(minimal().dump()).pod->cooldown == std::chrono::seconds(60));
    CHECK(parsed(changed("/ipam/cooldown", "0")).pod->cooldown == std::chrono::seconds(0));
    CHECK(parsed(changed("/ipam/cooldown", "86400")).pod->cooldown == std::chrono::hours(24));
    for (const char* wrong : {"-1", "86401", "\"60\"", "1.5"})
        CHECK_THAT(message_of(refused(changed("/ipam/cooldown", wrong))), has_text("\"cooldown\""));
}

TEST_CASE("the folder to import from is known to every verb", "[cni][config]")
{
    const std::string text = changed("/ipam/importFrom", R"("/var/lib/cni/networks/cbr0")");
    for (const Verb verb : {Verb::add, Verb::del, Verb::check, Verb::gc, Verb::status})
        CHECK(parsed(text, verb).network.import_from == "/var/lib/cni/networks/cbr0");
    CHECK(parsed(changed("/ipam/importFrom", R"("")")).network.import_from.empty());
    CHECK_THAT(message_of(refused(changed("/ipam/importFrom", R"("networks")"), Verb::del)),
               has_text("\"importFrom\" is \"networks\""));
}
