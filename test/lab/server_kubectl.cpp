#include "test/lab/server.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <thread>

#include <sys/wait.h>

using namespace routelet::lab;
using routelet::test::has_text;
using routelet::test::TemporaryDirectory;

namespace {

struct Ran {
    int code = 0;
    std::string output; // with what went to stderr
};

// A server, and kubectl as its users run it.
struct Kubectl {
    TemporaryDirectory directory;
    Server server{{.directory = directory.path / "lab"}};

    Ran run(const std::string& arguments, const std::string& config = "kubeconfig")
    {
        const std::string command = "HOME='" + directory.path.string() + "' KUBECONFIG='" +
                                    (directory.path / "lab" / config).string() + "' kubectl " + arguments +
                                    " 2>&1";
        Ran ran;
        FILE* pipe = ::popen(command.c_str(), "r");
        REQUIRE(pipe != nullptr);
        std::array<char, 4096> piece{};
        for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
            ran.output.append(piece.data(), got);
        ran.code = WEXITSTATUS(::pclose(pipe));
        if (ran.code == 127)
            FAIL("kubectl is not installed: script/setup installs it");
        return ran;
    }
    std::string ok(const std::string& arguments)
    {
        const Ran ran = run(arguments);
        CAPTURE(arguments, ran.output);
        REQUIRE(ran.code == 0);
        return ran.output;
    }
    std::string node_file(const std::string& name, const std::string& cidr)
    {
        const auto file = directory.path / (name + ".json");
        std::ofstream(file) << R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" << name
                            << R"(","labels":{"node-role.kubernetes.io/worker":""}},"spec":{"podCIDR":")"
                            << cidr
                            << R"("},"status":{"addresses":[{"type":"InternalIP","address":"192.168.1.11"}],)"
                            << R"("conditions":[{"type":"Ready","status":"True"}],)"
                            << R"("nodeInfo":{"kubeletVersion":"v1.26.5"}}})";
        return file.string();
    }
};

} // namespace

TEST_CASE("kubectl creates, shows, changes and deletes a Node", "[lab][kubectl]")
{
    Kubectl kubectl;
    const std::string file = kubectl.node_file("node01", "10.244.1.0/24");
    CHECK_THAT(kubectl.ok("create --validate=false -f " + file), has_text("node/node01 created"));

    const std::string wide = kubectl.ok("get nodes -o wide");
    CHECK_THAT(wide, has_text("INTERNAL-IP"));
    CHECK_THAT(wide, has_text("192.168.1.11"));
    CHECK_THAT(wide, has_text("worker"));
    CHECK_THAT(kubectl.ok("describe node node01"), has_text("10.244.1.0/24"));
    CHECK_THAT(kubectl.ok("get node node01 -o jsonpath={.spec.podCIDRs[0]}"), has_text("10.244.1.0/24"));

    kubectl.ok("label node node01 color=blue");
    CHECK_THAT(kubectl.ok("get nodes -l color=blue -o name"), has_text("node/node01"));
    kubectl.ok("annotate node node01 note=here");
    kubectl.ok("taint node node01 key=value:NoSchedule");
    kubectl.ok("cordon node01");
    CHECK_THAT(kubectl.ok("get nodes"), has_text("Ready,SchedulingDisabled"));
    kubectl.ok("patch node node01 --type=merge -p '{\"metadata\":{\"labels\":{\"color\":\"red\"}}}'");
    kubectl.ok(
        "patch node node01 --type=json -p '[{\"op\":\"remove\",\"path\":\"/metadata/annotations/note\"}]'");
    const auto saved = (kubectl.directory.path / "saved.json").string();
    kubectl.ok("get node node01 -o json > " + saved);
    CHECK_THAT(kubectl.ok("replace --validate=false -f " + saved), has_text("node/node01 replaced"));
    CHECK_THAT(kubectl.ok("delete node node01"), has_text("deleted"));
    CHECK_THAT(kubectl.run("get node node01").output, has_text("NotFound"));
}

TEST_CASE("kubectl applies a Node, and applies it again", "[lab][kubectl]")
{
    Kubectl kubectl;
    const std::string file = kubectl.node_file("node01", "10.244.1.0/24");
    CHECK_THAT(kubectl.ok("apply --validate=false -f " + file), has_text("created"));
    CHECK_THAT(kubectl.ok("apply --validate=false -f " + file), has_text("unchanged"));
}

TEST_CASE("kubectl watches Nodes, and waits for one to go", "[lab][kubectl]")
{
    Kubectl kubectl;
    kubectl.server.put_node({{"metadata", {{"name", "node01"}}}});
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        kubectl.server.put_node({{"metadata", {{"name", "node02"}}}});
        kubectl.server.delete_node("node01");
    });
    const Ran waited = kubectl.run("wait --for=delete node/node01 --timeout=30s");
    later.join();
    CHECK(waited.code == 0);
    CHECK_THAT(waited.output, has_text("condition met"));
    CHECK_THAT(kubectl.run("get nodes -w --request-timeout=2s").output, has_text("node02"));
}

TEST_CASE("kubectl with the agent's kubeconfig may read and not write", "[lab][kubectl]")
{
    Kubectl kubectl;
    kubectl.server.put_node({{"metadata", {{"name", "node01"}}}});
    CHECK(kubectl.run("get nodes", "agent.kubeconfig").code == 0);
    const Ran refused = kubectl.run("delete node node01", "agent.kubeconfig");
    CHECK(refused.code != 0);
    CHECK_THAT(refused.output, has_text("cannot delete resource \"nodes\""));
}
