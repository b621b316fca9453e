// A DEL does not wait for the kernel to finish with a deleted link: a child process does.
#include "test/kernel/cni_fixture.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

using namespace routelet;
using namespace routelet::test;

namespace {

// While it lives, orphans of what the test starts are its own children.
struct Subreaper {
    Subreaper() { REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }
    ~Subreaper() { (void)::prctl(PR_SET_CHILD_SUBREAPER, 0); }

    // Waits for all of them to end by themselves.
    static int reap_all()
    {
        int ended = 0;
        for (int status = 0; ::waitpid(-1, &status, 0) > 0; ++ended)
            CHECK(status == 0);
        return ended;
    }
};

} // namespace

TEST_CASE_METHOD(CniFixture, "each DEL leaves one process, or with host ports two, which end by themselves",
                 "[kernel][cni]")
{
    const Subreaper subreaper;
    const bool has_ports = GENERATE(false, true);
    if (has_ports)
        config["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}}};
    const PodNetns pod = make_pod_netns();
    constexpr int many = 20;
    for (int i = 0; i < many; ++i) {
        (void)add("pod1", pod);
        del("pod1", pod.path());
        CHECK(veths().empty());
    }
    CHECK(Subreaper::reap_all() == (has_ports ? 2 : 1) * many);
    del("pod1", pod.path()); // nothing to remove, nobody to wait
    CHECK(Subreaper::reap_all() == 0);
}

TEST_CASE_METHOD(CniFixture, "what a DEL leaves holds nothing of the runtime's", "[kernel][cni]")
{
    const Subreaper subreaper;
    config["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}}};
    const PodNetns pod = make_pod_netns();
    (void)add("pod1", pod);

    // As the runtime's pipe for standard output, which it reads until everybody has closed it.
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_NONBLOCK) == 0);
    const UniqueFd reads(ends[0]);
    UniqueFd writes(ends[1]);
    del("pod1", pod.path());
    writes.reset();

    char none = 0;
    CHECK(::read(reads.fd(), &none, 1) == 0); // or EAGAIN, while somebody has it open
    CHECK(Subreaper::reap_all() == 2);
}

TEST_CASE_METHOD(CniFixture, "an address is free once its DEL has returned", "[kernel][cni]")
{
    const Subreaper subreaper;
    config["ipam"]["ranges"] =
        nlohmann::json::parse(R"([[{"subnet": "10.244.1.0/30"}]])"); // room for one pod
    const PodNetns pod = make_pod_netns();
    for (int i = 0; i < 10; ++i) {
        const std::string container = "pod" + std::to_string(i);
        CHECK(add(container, pod)["ips"][0]["address"] == "10.244.1.2/30");
        del(container, pod.path());
    }
    (void)Subreaper::reap_all();
}
