#include "base/file.h"
#include "controller/cni_config.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using nlohmann::json;

namespace {

const std::vector<std::string> old_versions = {"0.3.0", "0.3.1", "0.4.0", "1.0.0"};
const std::vector<std::string> all_versions = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
const CniPlugin ours = {"routelet-cni", all_versions};

json rendered(const std::vector<IpPrefix>& pod_cidrs, const std::vector<CniPlugin>& plugins,
              HostPortsBy host_ports = HostPortsBy::none)
{
    return json::parse(render_conflist(
        {.pod_cidrs = pod_cidrs, .bridge = "v-net-0", .host_ports = host_ports, .plugins = plugins}));
}

json types_in(const json& list)
{
    json types = json::array();
    for (const json& part : list["plugins"])
        types.push_back(part["type"]);
    return types;
}

struct Folder {
    TemporaryDirectory temporary;
    std::filesystem::path directory = temporary.path / "net.d";
    std::filesystem::path plugins = temporary.path / "plugins.json";
    std::filesystem::path conflist = directory / "05-routelet.conflist";
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    std::filesystem::path agent_state = temporary.path / "run" / "converged";
    CniConfigFile::Options options{
        .directory = directory, .plugins = plugins, .bridge = "v-net-0", .agent_state = agent_state};
    CniConfigFile file{options, log};
    std::vector<IpPrefix> own{"10.244.1.0/24"_net};

    Folder() { std::filesystem::create_directory(directory); }

    void put(const std::filesystem::path& path, const std::string& content) const
    {
        need(write_file_atomically(path, content));
    }
    std::vector<std::string> codes() const
    {
        std::vector<std::string> found;
        for (const Finding& finding : file.findings())
            found.push_back(finding.code);
        return found;
    }
};

using Strings = std::vector<std::string>;

constexpr const char* portmap_installed = R"({"plugins": [{"type": "portmap", "cniVersions": ["1.0.0"]}]})";

} // namespace

TEST_CASE("the conflist gives pods an address and a default route of each family", "[cni-config]")
{
    CHECK(rendered({"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net}, {ours}) == json::parse(R"({
        "cniVersion": "1.0.0", "cniVersions": ["1.0.0", "1.1.0"], "name": "routelet",
        "loadOnlyInlinedPlugins": true,
        "plugins": [
          {"type": "routelet-cni", "bridge": "v-net-0",
           "ipam": {"type": "host-local",
                    "ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:10:244:1::/64"}]],
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}]})"));

    const json v6_only = rendered({"fd00:10:244:1::/64"_net}, {ours})["plugins"][0]["ipam"];
    CHECK(v6_only["ranges"] == json::parse(R"([[{"subnet": "fd00:10:244:1::/64"}]])"));
    CHECK(v6_only["routes"] == json::parse(R"([{"dst": "::/0"}])"));
}

TEST_CASE("the MTU, the folder of the network before and the plugin's files are in it where there are such",
          "[cni-config]")
{
    const std::string list = render_conflist({.pod_cidrs = {"10.244.1.0/24"_net},
                                              .bridge = "cni0",
                                              .host_port_dir = "/run/routelet/host-ports",
                                              .plugins = {},
                                              .mtu = 1450,
                                              .import_from = "/var/lib/cni/networks/cbr0",
                                              .agent_state = "/run/routelet/converged",
                                              .log_file = "/run/routelet/cni.log"});
    const json part = json::parse(list)["plugins"][0];
    CHECK(part["bridge"] == "cni0");
    CHECK(part["mtu"] == 1450);
    CHECK(part["ipam"]["importFrom"] == "/var/lib/cni/networks/cbr0");
    CHECK(part["agentState"] == "/run/routelet/converged");
    CHECK(part["logFile"] == "/run/routelet/cni.log");
    CHECK(part["hostPortDir"] == "/run/routelet/host-ports");
}

TEST_CASE("where the node is to route to each pod, the plugin is told so", "[cni-config]")
{
    const std::string list = render_conflist(
        {.pod_cidrs = {"10.244.1.0/24"_net}, .bridge = "v-net-0", .mode = cni::Mode::ptp, .plugins = {}});
    const json part = json::parse(list)["plugins"][0];
    CHECK(part["mode"] == "ptp");
    CHECK(part["bridge"] == "v-net-0"); // of pods from before
}

TEST_CASE("plugins are chained where they can be, in the newest version that all speak", "[cni-config]")
{
    struct Row {
        const char* what;
        std::vector<CniPlugin> plugins;
        json versions;
        bool has_portmap;
    };
    const auto row = GENERATE(values<Row>({
        {"nothing was written down", {}, {"1.0.0", "1.1.0"}, false},
        {"no portmap", {ours}, {"1.0.0", "1.1.0"}, false},
        {"a new portmap", {ours, {"portmap", all_versions}}, {"1.0.0", "1.1.0"}, true},
        {"an older portmap", {ours, {"portmap", old_versions}}, {"1.0.0"}, true},
        {"a portmap too old", {ours, {"portmap", {"0.3.0", "0.4.0"}}}, {"1.0.0", "1.1.0"}, false},
        {"a portmap that does not answer", {ours, {"portmap", {}}}, {"1.0.0", "1.1.0"}, false},
        {"an older plugin of ours", {{"routelet-cni", old_versions}}, {"1.0.0"}, false},
    }));
    CAPTURE(row.what);

    const json list = rendered({"10.244.1.0/24"_net}, row.plugins, HostPortsBy::portmap);

    CHECK_FALSE(list["plugins"][0].contains("capabilities"));
    CHECK(list["cniVersions"] == row.versions);
    CHECK((list["plugins"].size() == 2) == row.has_portmap);
    if (row.has_portmap)
        CHECK(list["plugins"][1] ==
              json::parse(R"({"type": "portmap", "capabilities": {"portMappings": true}, "snat": true})"));
}

TEST_CASE("host ports are the plugin's own, portmap's or nobody's", "[cni-config]")
{
    const std::vector<CniPlugin> plugins = {ours, {"portmap", all_versions}, {"bandwidth", all_versions}};
    const json native = rendered({"10.244.1.0/24"_net}, plugins, HostPortsBy::native);
    CHECK(types_in(native) == json({"routelet-cni"}));
    CHECK(native["plugins"][0]["capabilities"] == json::parse(R"({"portMappings": true})"));

    const json by_portmap = rendered({"10.244.1.0/24"_net}, plugins, HostPortsBy::portmap);
    CHECK(types_in(by_portmap) == json({"routelet-cni", "portmap"}));
    CHECK_FALSE(by_portmap["plugins"][0].contains("capabilities"));

    const json none = rendered({"10.244.1.0/24"_net}, plugins, HostPortsBy::none);
    CHECK(types_in(none) == json({"routelet-cni"}));
    CHECK_FALSE(none["plugins"][0].contains("capabilities"));
}

TEST_CASE("the plugin is told to check what pods send, where that is wanted", "[cni-config]")
{
    CniList list{.pod_cidrs = {"10.244.1.0/24"_net}, .bridge = "v-net-0"};
    CHECK_FALSE(json::parse(render_conflist(list))["plugins"][0].contains("spoofCheck"));
    list.spoof_check = true;
    CHECK(json::parse(render_conflist(list))["plugins"][0]["spoofCheck"] == true);
}

TEST_CASE("bandwidth is chained last, where it is wanted and can be", "[cni-config]")
{
    const auto list = [](const std::vector<CniPlugin>& plugins) {
        return json::parse(render_conflist({.pod_cidrs = {"10.244.1.0/24"_net},
                                            .bridge = "v-net-0",
                                            .host_ports = HostPortsBy::portmap,
                                            .bandwidth = true,
                                            .plugins = plugins}));
    };
    const json both = list({ours, {"portmap", all_versions}, {"bandwidth", old_versions}});
    CHECK(types_in(both) == json({"routelet-cni", "portmap", "bandwidth"}));
    CHECK(both["plugins"][2] == json::parse(R"({"type": "bandwidth", "capabilities": {"bandwidth": true}})"));
    CHECK(both["cniVersions"] == json({"1.0.0"}));
    CHECK(types_in(list({ours})) == json({"routelet-cni"}));
    CHECK(types_in(list({ours, {"bandwidth", {"0.4.0"}}})) == json({"routelet-cni"}));
}

TEST_CASE("a configuration chains what is among its plugins; what is none chains nothing", "[cni-config]")
{
    CHECK(chains(R"({"plugins": [{"type": "a"}, {"type": "portmap"}]})", "portmap"));
    const auto other = GENERATE("", "{", "[]", "{}", R"({"plugins": {"type": "portmap"}})",
                                R"({"plugins": ["portmap", {}, {"type": 1}]})", R"({"type": "portmap"})");
    CAPTURE(other);
    CHECK_FALSE(chains(other, "portmap"));
}

TEST_CASE("what routelet install wrote down is read", "[cni-config]")
{
    CHECK(need(parse_plugins(R"({"plugins": [{"type": "portmap", "cniVersions": ["1.0.0"]}]})")) ==
          std::vector<CniPlugin>{{"portmap", {"1.0.0"}}});
    const auto broken = GENERATE("", "{}", "[]", R"({"plugins": [{"type": 1, "cniVersions": []}]})",
                                 R"({"plugins": [{"type": "portmap"}]})");
    CAPTURE(broken);
    CHECK(parse_plugins(broken).has_error());
}

TEST_CASE("the runtime prefers what sorts before ours and looks like a configuration", "[cni-config]")
{
    CHECK(files_before_ours({"10-calico.conflist", "00-multus.conf", "05-routelet.conflist", "05-a.json",
                             "01-notes.txt", ".05-routelet.conflist.1.tmp", "05-routelet.conf"}) ==
          Strings{"00-multus.conf", "05-a.json", "05-routelet.conf"});
}

TEST_CASE("the file is written when the node is ready, and kept what it should be", "[cni-config]")
{
    Folder f;
    f.file.check({}, 0);
    CHECK_FALSE(std::filesystem::exists(f.conflist));

    f.file.check(f.own, 0);
    const std::string content = need(read_file(f.conflist));
    CHECK(content ==
          render_conflist(
              {.pod_cidrs = f.own, .bridge = "v-net-0", .plugins = {}, .agent_state = f.agent_state}));
    struct stat status {};
    REQUIRE(::stat(f.conflist.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0600U);
    CHECK(f.codes().empty());
    REQUIRE(f.lines.size() == 1);
    CHECK_THAT(f.lines[0],
               has_text("event=cni-config-written file=" + f.conflist.string() + " cause=missing"));

    SECTION("it is left alone when nothing changed")
    {
        f.file.check(f.own, 0);
        CHECK(f.lines.size() == 1);
    }
    SECTION("it is put back when somebody deletes it")
    {
        std::filesystem::remove(f.conflist);
        f.file.check(f.own, 0);
        CHECK(need(read_file(f.conflist)) == content);
    }
    SECTION("it is put right when somebody edits it")
    {
        f.put(f.conflist, "{}");
        f.file.check(f.own, 0);
        CHECK(need(read_file(f.conflist)) == content);
        CHECK_THAT(f.lines.back(), has_text("cause=changed"));
    }
    SECTION("it follows the own podCIDR")
    {
        f.file.check({"10.244.9.0/24"_net}, 0);
        CHECK_THAT(need(read_file(f.conflist)), has_text("10.244.9.0/24"));
    }
    SECTION("it follows the links' MTU")
    {
        f.file.check(f.own, 9000);
        CHECK(json::parse(need(read_file(f.conflist)))["plugins"][0]["mtu"] == 9000);
    }
    SECTION("it chains portmap once that is installed, if that is wanted")
    {
        f.options.host_ports = HostPortChoice::portmap;
        CniConfigFile file(f.options, f.log);
        f.put(f.plugins, portmap_installed);
        file.check(f.own, 0);
        CHECK_THAT(need(read_file(f.conflist)), has_text("portmap"));
    }
    SECTION("it stays while the node is not ready")
    {
        f.file.check({}, 0);
        CHECK(need(read_file(f.conflist)) == content);
    }
}

// An agent that was updated must not leave rules behind that nobody removes.
TEST_CASE("portmap stays chained while pods of this boot may have its rules", "[cni-config]")
{
    Folder f;
    f.put(f.plugins, portmap_installed);
    const auto types = [&] {
        f.file.check(f.own, 0);
        return types_in(json::parse(need(read_file(f.conflist))));
    };
    const json with_portmap = {"routelet-cni", "portmap"};
    const json alone = {"routelet-cni"};
    SECTION("on a new node it is not")
    {
        CHECK(types() == alone);
    }
    SECTION("where it is chained, and the node was set up since it booted")
    {
        f.options.host_ports = HostPortChoice::portmap;
        CniConfigFile(f.options, f.log).check(f.own, 0);
        CHECK(types() == with_portmap);
        CHECK_THAT(f.lines.back(), has_text("event=host-ports-by-portmap"));
        CHECK(types() == with_portmap);

        f.options.host_ports = HostPortChoice::native; // a person knows better
        CniConfigFile(f.options, f.log).check(f.own, 0);
        CHECK(types_in(json::parse(need(read_file(f.conflist)))) == alone);
    }
    SECTION("where it was chained before the node booted, it is not")
    {
        f.options.host_ports = HostPortChoice::portmap;
        CniConfigFile(f.options, f.log).check(f.own, 0);
        f.put(f.agent_state, "00000000-0000-4000-8000-000000000000\n");
        CHECK(types() == alone);
    }
    SECTION("where the network before has pods")
    {
        f.options.import_from = "/var/lib/cni/networks/cbr0";
        CniConfigFile(f.options, f.log).check(f.own, 0);
        CHECK(types_in(json::parse(need(read_file(f.conflist)))) == with_portmap);
    }
    SECTION("but not where it is gone")
    {
        f.options.host_ports = HostPortChoice::portmap;
        CniConfigFile(f.options, f.log).check(f.own, 0);
        std::filesystem::remove(f.plugins);
        CHECK(types() == alone);
    }
}

TEST_CASE("the plugin is told that the node is set up before it is told how to attach pods", "[cni-config]")
{
    Folder f;
    f.file.check({}, 0);
    CHECK_FALSE(std::filesystem::exists(f.agent_state));

    f.file.check(f.own, 0);
    CHECK(need(read_file(f.agent_state)) == need(read_file("/proc/sys/kernel/random/boot_id")));
    CHECK(json::parse(need(read_file(f.conflist)))["plugins"][0]["agentState"] == f.agent_state.string());

    SECTION("again when somebody deletes it, or it is an earlier boot's")
    {
        if (GENERATE(true, false))
            f.put(f.agent_state, "00000000-0000-4000-8000-000000000000\n");
        else
            std::filesystem::remove(f.agent_state);
        f.file.check(f.own, 0);
        CHECK(need(read_file(f.agent_state)) == need(read_file("/proc/sys/kernel/random/boot_id")));
    }
    SECTION("it stays while the node is not ready, as the configuration does")
    {
        f.file.check({}, 0);
        CHECK(std::filesystem::exists(f.agent_state));
    }
    SECTION("where that cannot be written, the plugin does not wait for it")
    {
        std::filesystem::remove_all(f.agent_state.parent_path());
        f.put(f.agent_state.parent_path(), "a file in the folder's place");
        f.file.check(f.own, 0);
        CHECK(f.codes() == Strings{"agent-state-unwritable"});
        CHECK_FALSE(json::parse(need(read_file(f.conflist)))["plugins"][0].contains("agentState"));
    }
}

TEST_CASE("the plugin gets no path that means something else to it", "[cni-config]")
{
    const json part = json::parse(render_conflist({.pod_cidrs = {"10.244.1.0/24"_net},
                                                   .bridge = "v-net-0",
                                                   .plugins = {},
                                                   .agent_state = "run/converged",
                                                   .log_file = "run/cni.log"}))["plugins"][0];
    CHECK_FALSE(part.contains("agentState"));
    CHECK_FALSE(part.contains("logFile"));
}

TEST_CASE("what keeps pods from Routelet's network is a finding, and nothing of others is touched",
          "[cni-config]")
{
    Folder f;
    SECTION("another configuration that sorts first")
    {
        f.put(f.directory / "00-other.conflist", "{}");
        f.file.check(f.own, 0);
        CHECK(f.codes() == Strings{"cni-config-shadowed"});
        CHECK_THAT(f.file.findings()[0].detail, has_text((f.directory / "00-other.conflist").string()));
        CHECK(need(read_file(f.directory / "00-other.conflist")) == "{}");
        CHECK(std::filesystem::exists(f.conflist));

        std::filesystem::remove(f.directory / "00-other.conflist");
        f.file.check(f.own, 0);
        CHECK(f.codes().empty());
    }
    SECTION("a folder that is not there, until it is")
    {
        std::filesystem::remove_all(f.directory);
        f.file.check(f.own, 0);
        CHECK(f.codes() == Strings{"cni-config-unwritable"});
        CHECK_THAT(f.file.findings()[0].detail, has_text(f.directory.string()));
        std::filesystem::create_directory(f.directory);
        f.file.check(f.own, 0);
        CHECK(f.codes().empty());
        CHECK(std::filesystem::exists(f.conflist));
    }
    SECTION("a list of plugins that cannot be read")
    {
        f.put(f.plugins, "{");
        f.file.check(f.own, 0);
        CHECK(f.codes() == Strings{"cni-plugins-unknown"});
        CHECK(std::filesystem::exists(f.conflist));
    }
    SECTION("a portmap that is wanted and cannot be chained, or is not there")
    {
        f.options.host_ports = HostPortChoice::portmap;
        f.options.bandwidth = true;
        CniConfigFile file(f.options, f.log);
        f.put(f.plugins, R"({"plugins": [{"type": "portmap", "cniVersions": []}]})");
        file.check(f.own, 0);
        REQUIRE(file.findings().size() == 2);
        CHECK(file.findings()[0].code == "cni-plugin-unusable");
        CHECK_THAT(file.findings()[0].detail, has_text("portmap is installed but does not say"));
        CHECK(file.findings()[1].code == "cni-plugin-unusable");
        CHECK_THAT(file.findings()[1].detail, has_text("bandwidth is not installed"));
    }
}

TEST_CASE("without a folder there is neither file nor finding", "[cni-config]")
{
    const Log log(LogFormat::text, LogLevel::error, [](const std::string&) { return true; });
    CniConfigFile file({{}, "/nonexistent/plugins.json", "v-net-0"}, log);
    file.check({"10.244.1.0/24"_net}, 0);
    CHECK(file.findings().empty());
}
