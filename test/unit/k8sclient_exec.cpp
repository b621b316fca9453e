#include "base/file.h"
#include "k8sclient/child_process.h"
#include "k8sclient/exec_credential.h"
#include "test/lab/certificate.h"
#include "test/support/catch.h"
#include "test/support/coroutine.h"
#include "test/support/temporary_directory.h"

#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <thread>

using namespace routelet;
using namespace routelet::test;
using namespace std::chrono_literals;
using nlohmann::json;
namespace asio = boost::asio;

namespace {

constexpr auto v1 = "client.authentication.k8s.io/v1";

// A plugin as a shell script, and a cluster whose user it is. Scripts find their directory in $D.
struct Plugin {
    TemporaryDirectory directory;
    asio::io_context loop;
    k8s::ClusterConfig cluster;

    explicit Plugin(const std::string& script)
    {
        cluster.host = "10.0.0.1";
        cluster.exec = k8s::ExecPlugin{.api_version = v1,
                                       .command = (directory.path / "plugin").string(),
                                       .arguments = {"get-token", "--cluster=x y"},
                                       .environment = {{"D", directory.path.string()}},
                                       .install_hint = "apt install plugin",
                                       .provide_cluster_info = false,
                                       .cluster_config = ""};
        write(script);
    }
    void write(const std::string& script) const
    {
        need(write_file_atomically(directory.path / "plugin", "#!/bin/sh\n" + script, {.mode = 0755}));
    }
    std::string written(const std::string& name) const { return need(read_file(directory.path / name)); }
    std::size_t runs() const
    {
        return std::filesystem::exists(directory.path / "runs") ? written("runs").size() : 0;
    }
};

// A script that notes each run and gives `status`.
std::string gives(const std::string& status)
{
    return "echo >>$D/runs\nprintf '%s' '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" + std::string(v1) +
           "\",\"status\":" + status + "}'\n";
}

std::string rfc3339(std::chrono::seconds from_now)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() + from_now);
    const std::time_t time = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string expiring(std::chrono::seconds from_now)
{
    return R"({"token":"S3CRET","expirationTimestamp":")" + rfc3339(from_now) + "\"}";
}

std::string text_of_error(Plugin& plugin, std::chrono::milliseconds patience = 10s)
{
    k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster, patience);
    const Result<> refreshed = run(plugin.loop, credential.refresh());
    REQUIRE(refreshed.has_error());
    CHECK(refreshed.error().text().find("S3CRET") == std::string::npos);
    CHECK_THAT(refreshed.error().text(),
               has_text("credential plugin " + plugin.cluster.exec->command + ": "));
    return refreshed.error().text();
}

bool is_alive(const std::string& pid)
{
    return std::filesystem::exists("/proc/" + pid) &&
           need(read_file("/proc/" + pid + "/stat")).find(") Z") == std::string::npos;
}

} // namespace

TEST_CASE("a plugin is told what it wants to know, and gives a token", "[k8sclient][exec]")
{
    Plugin plugin(R"(printf '%s|' "$@" >$D/arguments; printf '%s' "$KUBERNETES_EXEC_INFO" >$D/information)"
                  "\n" +
                  gives(R"({"token":"S3CRET"})"));
    k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
    need(run(plugin.loop, credential.refresh()));
    CHECK(credential.current().token.reveal() == "S3CRET");
    CHECK(plugin.written("arguments") == "get-token|--cluster=x y|");
    const json told = json::parse(plugin.written("information"));
    CHECK(told["kind"] == "ExecCredential");
    CHECK(told["apiVersion"] == v1);
    CHECK(told["spec"]["interactive"] == false);
    CHECK_FALSE(told["spec"].contains("cluster"));
}

TEST_CASE("a plugin that wants it is told of the cluster", "[k8sclient][exec]")
{
    k8s::ClusterConfig cluster;
    cluster.host = "fd00::1";
    cluster.tls_server_name = "api";
    cluster.ca.inline_pem = "PEM!";
    cluster.proxy.proxy = need(k8s::parse_proxy_url("http://me:S3CRET@proxy:3128"));
    const k8s::ExecPlugin plugin{.api_version = v1,
                                 .command = "x",
                                 .arguments = {},
                                 .environment = {},
                                 .install_hint = "",
                                 .provide_cluster_info = true,
                                 .cluster_config = R"({"audience":"a"})"};
    const json told = json::parse(need(k8s::plugin_information(plugin, cluster)))["spec"]["cluster"];
    CHECK(told == json({{"server", "https://[fd00::1]:443"},
                        {"tls-server-name", "api"},
                        {"certificate-authority-data", "UEVNIQ=="},
                        {"proxy-url", "http://proxy:3128"},
                        {"config", {{"audience", "a"}}}}));
}

TEST_CASE("a plugin may give a client certificate", "[k8sclient][exec]")
{
    Plugin plugin("");
    const lab::Identity pem = lab::identity_in(plugin.directory.path, {"x"});
    const json status = {{"clientCertificateData", need(read_file(pem.certificate))},
                         {"clientKeyData", need(read_file(pem.key))}};
    plugin.write(gives(status.dump()).replace(0, 0, ""));
    need(write_file_atomically(
        plugin.directory.path / "answer",
        json({{"kind", "ExecCredential"}, {"apiVersion", v1}, {"status", status}}).dump()));
    plugin.write("cat $D/answer\n");
    k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
    need(run(plugin.loop, credential.refresh()));
    CHECK(credential.current().certificate == need(read_file(pem.certificate)));
    CHECK(credential.current().token.empty());
}

TEST_CASE("a credential is kept until a minute before it expires, or it is not accepted", "[k8sclient][exec]")
{
    const auto refresh = [](Plugin& plugin, k8s::ExecCredential& credential) {
        need(run(plugin.loop, credential.refresh()));
    };
    SECTION("without an expiry")
    {
        Plugin plugin(gives(R"({"token":"S3CRET"})"));
        k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
        refresh(plugin, credential);
        refresh(plugin, credential);
        CHECK(plugin.runs() == 1);
        credential.reject();
        refresh(plugin, credential);
        refresh(plugin, credential);
        CHECK(plugin.runs() == 2);
    }
    SECTION("that is far away")
    {
        Plugin plugin(gives(expiring(90s)));
        k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
        refresh(plugin, credential);
        refresh(plugin, credential);
        CHECK(plugin.runs() == 1);
    }
    SECTION("that is near, or in the past")
    {
        Plugin plugin(gives(expiring(GENERATE(50s, -10s))));
        k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
        refresh(plugin, credential);
        refresh(plugin, credential);
        CHECK(plugin.runs() == 2);
    }
    SECTION("and in that minute a plugin may fail")
    {
        Plugin plugin(gives(expiring(50s)));
        k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
        refresh(plugin, credential);
        plugin.write("exit 1\n");
        refresh(plugin, credential);
        CHECK(credential.current().token.reveal() == "S3CRET");
        credential.reject();
        CHECK(run(plugin.loop, credential.refresh()).has_error());
    }
}

TEST_CASE("a plugin that fails is reported in its words, and never with what it gave",
          "[k8sclient][exec][F37]")
{
    struct Case {
        std::string script;
        std::string says;
    };
    const std::string kind = R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/)";
    const auto c = GENERATE_COPY(
        Case{"echo S3CRET; printf 'log in first\\nplease\\n\\033[1m\\nno more of this\\n' >&2; exit 7",
             "it ended with status 7: log in first please  [1m"},
        Case{"exit 1", "it ended with status 1, and wrote nothing to standard error"},
        Case{"kill -9 $$", "it ended with status 137"}, Case{"echo S3CRET", "is not JSON"},
        Case{"echo '[\"S3CRET\"]'", "is not JSON, or not an object"}, Case{"true", "is not JSON"},
        Case{"echo '{\"token\":\"S3CRET\"}'", "is no ExecCredential"},
        Case{"echo '" + kind + "v1beta1\",\"status\":{\"token\":\"S3CRET\"}}'",
             "not of apiVersion " + std::string(v1)},
        Case{"echo '" + kind + "v1\"}'", "has no status"},
        Case{gives(R"({"token":5})"), "a field of its status is not a text"},
        Case{gives(R"({"token":"S3CRET S3CRET"})"), "its token holds a character that no token has"},
        Case{gives("{}"), "neither a token nor a client certificate"},
        Case{gives(R"({"clientCertificateData":"S3CRET"})"),
             "one of clientCertificateData and clientKeyData"},
        Case{gives(R"({"clientCertificateData":"S3CRET","clientKeyData":"S3CRET"})"),
             "its client certificate"},
        Case{gives(R"({"token":"S3CRET","expirationTimestamp":"tomorrow"})"),
             "expirationTimestamp is no time"},
        Case{"head -c 2000000 /dev/zero", "it wrote more than 1048576 bytes"});
    Plugin plugin(c.script + "\n");
    CHECK_THAT(text_of_error(plugin), has_text(c.says));
}

TEST_CASE("a plugin that is not there is reported with how to get it", "[k8sclient][exec]")
{
    Plugin plugin("");
    plugin.cluster.exec->command = GENERATE("routelet-test-no-such-plugin", "/nowhere/plugin");
    CHECK_THAT(text_of_error(plugin),
               has_text("starting it (apt install plugin): No such file or directory"));
}

TEST_CASE("a plugin that hangs is killed with all that it started", "[k8sclient][exec][F37]")
{
    Plugin plugin("sleep 1000 &\necho $! >$D/grandchild\necho $$ >$D/child\nwait\n");
    SECTION("at the deadline")
    {
        CHECK_THAT(text_of_error(plugin, 500ms), has_text("it did not end within 500 ms"));
    }
    SECTION("when nobody wants its answer any more")
    {
        k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
        CHECK_THROWS_AS(run_for(plugin.loop, credential.refresh(), 500ms), boost::system::system_error);
    }
    for (const char* name : {"child", "grandchild"}) {
        std::string pid = plugin.written(name);
        pid.erase(pid.find_last_not_of('\n') + 1);
        for (int i = 0; i < 100 && is_alive(pid); ++i)
            std::this_thread::sleep_for(10ms);
        CHECK_FALSE(is_alive(pid));
    }
}

TEST_CASE("a plugin's end does not wait for what it left running", "[k8sclient][exec]")
{
    Plugin plugin("sleep 5 &\n" + gives(R"({"token":"S3CRET"})"));
    k8s::ExecCredential credential(plugin.loop.get_executor(), plugin.cluster);
    const auto start = std::chrono::steady_clock::now();
    need(run(plugin.loop, credential.refresh()));
    CHECK(std::chrono::steady_clock::now() - start < 4s);
}

TEST_CASE("a child has no descriptor and no blocked signal of ours, and nothing to read", "[k8sclient][exec]")
{
    asio::io_context loop; // has descriptors of its own
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &term, nullptr);
    const int left_open = ::open("/dev/null", O_RDONLY);
    k8s::ChildRequest request;
    request.program = "sh";
    request.arguments = {"-c",
                         "cat; ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status; echo $X; "
                         "head -c 100000 /dev/zero >&2"};
    request.environment = {"X=y", "PATH=/usr/bin:/bin"};
    const k8s::ChildEnd end = need(run(loop, k8s::run_child(loop.get_executor(), request)));
    ::close(left_open);
    ::pthread_sigmask(SIG_UNBLOCK, &term, nullptr);
    CHECK(end.exit_status == 0);
    CHECK(end.output == "0 1 2 3 SigBlk:\t0000000000000000\ny\n"); // 3 is ls's own
    CHECK(end.errors.size() == 4096);
}
