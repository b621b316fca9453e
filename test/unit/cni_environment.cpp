#include "cni/environment.h"
#include "cni/error.h"
#include "test/support/catch.h"

#include <map>

using namespace routelet;
using namespace routelet::cni;
using routelet::test::has_text;
using routelet::test::need;

namespace {

using Values = std::map<std::string, std::string>;

const Values add_values = {{"CNI_COMMAND", "ADD"},
                           {"CNI_CONTAINERID", "c0ffee"},
                           {"CNI_NETNS", "/run/netns/pod"},
                           {"CNI_IFNAME", "eth0"}};

Values with(Values values, const std::string& name, const std::string& value)
{
    values[name] = value;
    return values;
}

Result<Environment> read(const Values& values)
{
    return read_environment([&values](const char* name) {
        const auto found = values.find(name);
        return found == values.end() ? std::string{} : found->second;
    });
}

std::string refusal(const Values& values)
{
    const Result<Environment> environment = read(values);
    REQUIRE_FALSE(environment.has_value());
    CHECK(has_code(environment.error(), ErrorCode::invalid_environment));
    return message_of(environment.error());
}

} // namespace

TEST_CASE("the environment of an ADD is understood", "[cni][environment]")
{
    const Environment call = need(read(with(
        add_values, "CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.244.1.7;MAC=0a:58:0a:f4:01:07;X=1")));
    CHECK(call.verb == Verb::add);
    CHECK(call.id == AttachmentId{"c0ffee", "eth0"});
    CHECK(call.netns == "/run/netns/pod");
    CHECK(call.args.address == "10.244.1.7");
    CHECK(call.args.mac == "0a:58:0a:f4:01:07");
}

TEST_CASE("all missing variables are named together", "[cni][environment]")
{
    CHECK_THAT(refusal({{"CNI_COMMAND", "ADD"}}), has_text("[CNI_CONTAINERID,CNI_IFNAME,CNI_NETNS]"));
    CHECK_THAT(refusal({{"CNI_COMMAND", "DEL"}}), has_text("[CNI_CONTAINERID,CNI_IFNAME]"));
    for (const std::string name : {"CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"}) {
        CAPTURE(name);
        CHECK_THAT(refusal(with(add_values, name, "")), has_text("[" + name + "]"));
    }
}

TEST_CASE("a command is one of six, in capitals", "[cni][environment]")
{
    const std::string command = GENERATE("add", "ADDS", "LIST", " ADD");
    CHECK_THAT(refusal(with(add_values, "CNI_COMMAND", command)), has_text("\"" + command + "\""));
}

TEST_CASE("commands about no container need none", "[cni][environment]")
{
    const std::string command = GENERATE("GC", "STATUS", "VERSION");
    CHECK(read({{"CNI_COMMAND", command}}).has_value());
}

TEST_CASE("a container id that could leave a folder or a line is refused", "[cni][environment]")
{
    const std::string id = GENERATE(as<std::string>{}, "-a", ".", "..", "../x", "a/b", "a b", "a\n", "a:b",
                                    "\xc3\xa9", std::string(240, 'a'), std::string(4096, 'a'));
    CAPTURE(id);
    CHECK_THAT(refusal(with(add_values, "CNI_CONTAINERID", id)), has_text("CNI_CONTAINERID"));
    CHECK_THAT(refusal(with(with(add_values, "CNI_CONTAINERID", id), "CNI_COMMAND", "DEL")),
               has_text("CNI_CONTAINERID"));
}

TEST_CASE("an interface name that the kernel would not take, or would take otherwise, is refused",
          "[cni][environment]")
{
    const std::string name = GENERATE("sixteen-bytes-xx", "a/b", ".", "..", "a:b", "a b", "a\tb", "eth%d",
                                      "lo", "all", "default", "\xc3\xa9");
    CAPTURE(name);
    CHECK_THAT(refusal(with(add_values, "CNI_IFNAME", name)), has_text("CNI_IFNAME"));
}

TEST_CASE("the longest names are taken", "[cni][environment]")
{
    CHECK(read(with(add_values, "CNI_CONTAINERID", std::string(239, 'a'))).has_value());
    CHECK(read(with(add_values, "CNI_IFNAME", "fifteen-bytes-x")).has_value());
}

TEST_CASE("CNI_ARGS is held to its rules on ADD, and never keeps a DEL from cleaning", "[cni][environment]")
{
    const auto [args, complaint] = GENERATE(table<std::string, std::string>({
        {"UNKNOWN=1", "UNKNOWN"},
        {"IgnoreUnknown=0;UNKNOWN=1", "UNKNOWN"},
        {"IP", "not KEY=VALUE"},
        {"=1", "not KEY=VALUE"},
        {"IgnoreUnknown=1;A=1=2", "not KEY=VALUE"},
    }));
    CAPTURE(args);
    CHECK_THAT(refusal(with(add_values, "CNI_ARGS", args)), has_text(complaint));
    CHECK(read(with(with(add_values, "CNI_ARGS", args), "CNI_COMMAND", "DEL")).has_value());
}

TEST_CASE("a DEL needs no network namespace", "[cni][environment]")
{
    CHECK(read(with(with(add_values, "CNI_NETNS", ""), "CNI_COMMAND", "DEL")).has_value());
}
