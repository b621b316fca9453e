#include "test/kernel/cni_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

CniReply version_of(const std::string& input)
{
    return CniCall({{"CNI_COMMAND", "VERSION"}}, input).wait();
}

} // namespace

TEST_CASE("VERSION answers, whatever is on its standard input", "[kernel][cni]")
{
    const std::string input = GENERATE(R"({"cniVersion": "1.0.0"})", "", "{", "[]", R"({"cniVersion": 1})");
    const CniReply reply = version_of(input);
    CHECK(reply.exit_code == 0);
    CHECK(reply.document()["supportedVersions"] == json{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"});
}

TEST_CASE("VERSION does not wait for the end of its input", "[kernel][cni]")
{
    const TemporaryDirectory temporary;
    const std::string pipe = (temporary.path / "pipe").string();
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const UniqueFd open_end(::open(pipe.c_str(), O_RDWR | O_CLOEXEC));
    const std::string input = GENERATE("", R"({"cniVersion": "1.0.0"})");
    REQUIRE(::write(open_end.fd(), input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    const std::string command = std::string("CNI_COMMAND=VERSION timeout 20 ") + ROUTELET_CNI_PROGRAM + " <" +
                                pipe + " >" + (temporary.path / "answer").string();
    CHECK(std::system(command.c_str()) == 0);
    const json answer = json::parse(need(read_file(temporary.path / "answer")));
    CHECK(answer["cniVersion"] == (input.empty() ? "1.1.0" : "1.0.0"));
    CHECK(answer["supportedVersions"].size() == 5);
}

TEST_CASE("without CNI_COMMAND a person gets help, and standard output stays empty", "[kernel][cni]")
{
    const CniReply reply = CniCall({}, "").wait();
    CHECK(reply.exit_code == 0);
    CHECK(reply.output == "");
    CHECK_THAT(reply.errors, has_text("CNI plugin"));
}

TEST_CASE_METHOD(CniFixture, "every failure is one JSON document on standard output, and exit code 1",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    const auto [input, code] = GENERATE(table<std::string, int>({
        {"", 6},
        {"{", 6},
        {"[]", 6},
        {std::string(2U << 20U, ' '), 6},
        {std::string(100'000, '['), 6},
        {R"({"cniVersion": "9.9.9", "name": "n"})", 1},
        {R"({"cniVersion": "1.0.0"})", 7},
        {R"({"cniVersion": "1.0.0", "name": "n", "ipam": {"type": "dhcp"}})", 2},
    }));
    const std::string command = GENERATE("ADD", "DEL");
    if (command == "DEL" && code == 2)
        return; // DEL does not look that far
    CAPTURE(command, input.substr(0, 80));
    const CniReply reply = CniCall({{"CNI_COMMAND", command},
                                    {"CNI_CONTAINERID", "one"},
                                    {"CNI_NETNS", pod.path()},
                                    {"CNI_IFNAME", "eth0"}},
                                   input)
                               .wait();
    CHECK(reply.exit_code == 1);
    CHECK(reply.errors == "");
    CHECK(reply.code() == code);
    CHECK(reply.document().contains("cniVersion"));
    CHECK(reply.document().contains("details"));
}

TEST_CASE("standard input that is closed is an I/O failure", "[kernel][cni]")
{
    const std::string command =
        std::string("CNI_COMMAND=ADD CNI_CONTAINERID=a CNI_IFNAME=eth0 CNI_NETNS=/x ") +
        ROUTELET_CNI_PROGRAM + " <&- | grep -q '\"code\": 5'";
    CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE_METHOD(CniFixture, "a runtime that does not read the answer is a failure", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    const TemporaryDirectory temporary;
    std::ofstream(temporary.path / "config") << config.dump();
    const std::string command =
        "CNI_COMMAND=ADD CNI_CONTAINERID=one CNI_IFNAME=eth0 CNI_NETNS=" + pod.path() + " " +
        ROUTELET_CNI_PROGRAM + " <" + (temporary.path / "config").string() + " >/dev/full";
    const int status = std::system(command.c_str());
    CHECK(WEXITSTATUS(status) == 1);
    del("one", pod.path());
    CHECK(veths().empty());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(CniFixture, "on a read-only file system DEL fails only where there is something to free",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    std::ofstream(state().parent_path() / "config") << config.dump();
    const auto exit_code_of_del = [this](const std::string& container) {
        const std::string folder = state().parent_path().string();
        const std::string command = "CNI_COMMAND=DEL CNI_IFNAME=eth0 CNI_CONTAINERID=" + container +
                                    " unshare -m sh -c 'mount --bind " + folder + " " + folder +
                                    " && mount -o remount,bind,ro " + folder + " && exec " +
                                    ROUTELET_CNI_PROGRAM + " <" + folder + "/config >/dev/null'";
        const int status = std::system(command.c_str());
        return WEXITSTATUS(status);
    };
    CHECK(exit_code_of_del("other") == 0);
    CHECK(exit_code_of_del("one") == 1);
    CHECK(reservations().size() == 2);
    del("one", pod.path());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(CniFixture, "results have the shape of every version, and CHECK and DEL read them back",
                 "[kernel][cni]")
{
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
        CAPTURE(version);
        config["cniVersion"] = version;
        config.erase("prevResult");
        const PodNetns pod = make_pod_netns();
        const json result = add("one", pod);
        CHECK(result["cniVersion"] == version);
        CHECK(result["ips"][0].contains("version") == (version < "1"));
        config["prevResult"] = result;
        const CniReply reply = call("CHECK", "one", pod.path());
        if (version < "0.4")
            CHECK(reply.code() == 1);
        else
            CHECK(reply.exit_code == 0);
        config["cniVersion"] = "1.1.0"; // the plugin was upgraded in between
        del("one", pod.path());
    }
}

TEST_CASE_METHOD(CniFixture, "STATUS tells whether an ADD would do", "[kernel][cni]")
{
    CHECK(call("STATUS", "", "").exit_code == 0);
    CHECK_FALSE(std::filesystem::exists(state()));
    CHECK_FALSE(need(netlink::find_link(socket(), "v-net-0")).has_value());

    SECTION("not when the bridge's name is taken")
    {
        run("ip link add v-net-0 type vxlan id 7 dstport 4789");
    }
    SECTION("not when the state folder is a file")
    {
        std::filesystem::create_directories(state().parent_path());
        std::ofstream(state()) << "x";
    }
    const CniReply reply = call("STATUS", "", "");
    CHECK(reply.exit_code == 1);
    CHECK(reply.code() == 50);
}

TEST_CASE_METHOD(CniFixture, "GC removes what is not on the list, and nothing when there is no list",
                 "[kernel][cni]")
{
    const PodNetns keep = make_pod_netns();
    const PodNetns stale = make_pod_netns();
    const PodNetns young = make_pod_netns();
    add("keep", keep);
    add("stale", stale);
    add("young", young);
    const auto age = [this](const std::string& name) {
        const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
        std::filesystem::last_write_time(state() / name, old);
    };
    for (const char* name :
         {"10.244.1.2", "fd00:1::2", "by-id/keep:eth0", "10.244.1.3", "fd00:1::3", "by-id/stale:eth0"})
        age(name);

    CHECK(call("GC", "", "").exit_code == 0);
    CHECK(veths().size() == 3);

    config["cni.dev/valid-attachments"] = json::parse(R"([{"containerID": "keep", "ifname": "eth0"}])");
    for (int i = 0; i < 2; ++i) {
        const CniReply reply = call("GC", "", "");
        CHECK(reply.exit_code == 0);
        CHECK(reply.output == "");
        CHECK(veths().size() == 2);
        CHECK(reservations() == std::set<std::string>{"10.244.1.2", "10.244.1.4", "fd00:1::2", "fd00:1::4"});
    }
    run_in(keep, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");
}

TEST_CASE_METHOD(CniFixture, "a DEL that fails never says the words that containerd takes for success",
                 "[kernel][cni]")
{
    config["ipam"]["dataDir"] = (state().parent_path() / "not found").string();
    std::filesystem::create_directories(state().parent_path() / "not found" / "routelet" / "lock");
    const CniReply reply = call("DEL", "one", "");
    CHECK(reply.exit_code == 1);
    CHECK(reply.output.find("not found") == std::string::npos);
}

TEST_CASE_METHOD(CniFixture, "a log is one line a call in the file that was named", "[kernel][cni]")
{
    const TemporaryDirectory temporary;
    const std::string file = (temporary.path / "log").string();
    CniReply reply = CniCall({{"CNI_COMMAND", "DEL"},
                              {"CNI_CONTAINERID", "one"},
                              {"CNI_IFNAME", "eth0"},
                              {"ROUTELET_CNI_LOG", file}},
                             config.dump())
                         .wait();
    CHECK(reply.exit_code == 0);
    CHECK(reply.output == "");
    const std::string text = need(read_file(file));
    CHECK_THAT(text, has_text("event=cni-done command=DEL container=one interface=eth0"));
    CHECK(std::ranges::count(text, '\n') == 1);
}
