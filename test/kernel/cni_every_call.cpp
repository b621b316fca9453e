// The plugin, interfered with at each of its system calls in turn: killed there, or told that the call
// failed.
#include "cni/attachment.h"
#include "cni/await_local.h"
#include "cni/host_ports.h"
#include "cni/spoof_check.h"
#include "test/kernel/cni_fixture.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <iterator>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

// The n-th call (from 1) meets its fate. Counting begins with the reading of standard input: until then it is
// the start of any program, which differs between builds and has no effect on anything.
class Nth {
public:
    Nth(std::size_t number, Fate fate) : number_(number), fate_(fate) {}

    Fate operator()(const SystemCall& call)
    {
        has_begun_ = has_begun_ || (call.number == SYS_read && call.arguments[0] == STDIN_FILENO);
        if (!has_begun_ || is_of_the_sanitizer(call.number) ||
            (fate_.error != 0 && fails_never(call.number)) || ++count_ != number_)
            return {};
        has_met_ = true;
        call_ = call;
        return fate_;
    }
    bool has_met() const { return has_met_; } // else the program made fewer calls
    long call() const { return call_.number; }
    bool is_the_answer() const { return call_.number == SYS_write && call_.arguments[0] == STDOUT_FILENO; }

private:
    // Memory, signals and the end: calls of the C library's that fail for other reasons, or never.
    static bool fails_never(long number)
    {
        for (const long other : {SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise,
                                 SYS_futex, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_clock_nanosleep,
                                 SYS_clock_gettime, SYS_getpid, SYS_gettid, SYS_exit_group})
            if (number == other)
                return true;
        return false;
    }

    // UndefinedBehaviorSanitizer looks whether memory can be read by writing it into a pipe of its own. The
    // plugin makes none.
    bool is_of_the_sanitizer(long number)
    {
        if (number == SYS_pipe2)
            pipe_ends_ = 2;
        const bool is_one = pipe_ends_ > 0;
        if (is_one && number == SYS_close)
            --pipe_ends_;
        return is_one;
    }

    std::size_t number_;
    Fate fate_;
    int pipe_ends_ = 0;
    bool has_begun_ = false;
    bool has_met_ = false;
    std::size_t count_ = 0;
    SystemCall call_;
};

const std::vector<Fate> failures = {Fate::failing(ENOSPC), Fate::failing(EIO),     Fate::failing(EMFILE),
                                    Fate::failing(EPERM),  Fate::failing(ENOBUFS), Fate::belied(EIO)};

constexpr std::size_t fewest_calls = 20; // else the sweep did not meet what it is for

// Sanitizers make all this several times slower: there it is every third call.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t step = 3;
#else
constexpr std::size_t step = 1;
#endif

// Everything happens three times: with a bridge and ports of the node for every pod; with the node routing to
// each pod; and with a bridge that takes nothing from a pod but from its own addresses.
class EveryCall : public CniFixture {
public:
    EveryCall()
    {
        config["mode"] = GENERATE("bridge", "ptp");
        config["spoofCheck"] = config["mode"] == "bridge" && GENERATE(false, true);
        want_port(8080);
    }

    bool is_checked() const { return config["spoofCheck"]; }
    bool has_ports() const { return config["mode"] == "bridge" && !is_checked(); }
    void want_port(int port)
    {
        if (!has_ports())
            return;
        config["runtimeConfig"]["portMappings"] = {
            {{"hostPort", port}, {"containerPort", 80}},
            {{"hostPort", port}, {"containerPort", 53}, {"protocol", "udp"}}};
    }
    // The pod that is there before, and stays.
    void add_living(const PodNetns& pod)
    {
        want_port(9090);
        add("living", pod);
        want_port(8080);
    }
    // As many attachments have ports, and the kernel's table is as the files say.
    void require_ports_of(std::size_t attachments)
    {
        if (!has_ports())
            return;
        std::size_t records = 0;
        for (const auto& entry : std::filesystem::directory_iterator(host_ports()))
            records += entry.path().filename().string().find(':') != std::string::npos ? 1 : 0;
        REQUIRE(records == attachments);
        REQUIRE(need(cni::HostPorts(host_ports()).repair(socket())) == "");
    }

    // Each pod that is there can send. There may be more elements: of links that are gone, and of a link that
    // came back with another address, which the agent removes.
    void require_admitted()
    {
        if (is_checked())
            REQUIRE_THAT(need(cni::SpoofCheck().difference(socket())),
                         Catch::Matchers::Matches("|set addresses[46]: 0 elements are missing.*"));
    }

    // What a node's first ADD makes for all pods.
    void forget_network() const
    {
        run(config["mode"] == "bridge"
                ? "ip link del v-net-0"
                : "ip address del 10.244.1.1/32 dev lo; ip address del fd00:1::1/128 dev lo");
        std::filesystem::remove_all(state().parent_path());
        std::filesystem::remove_all(host_ports());
        run("nft flush ruleset");
    }
    CniReply call_with(Nth& nth, const std::string& command, const std::string& container,
                       const std::string& netns) const
    {
        return CniCall(environment_of(command, container, netns), config.dump(), {.is_traced = true})
            .wait_asking(std::ref(nth));
    }
    // Calls `round` with 1, 2, 3, ... until it says that there is no such call any more. With larger steps,
    // `which` says where to begin: a way to fail of which there are several. Those have larger steps where
    // there are ports, too, since the kernel takes its time to close one.
    void sweep(const std::function<bool(std::size_t)>& round, int which = 0) const
    {
        const std::size_t stride = has_ports() && which != 0 ? 4 * step : step;
        std::size_t number = 1 + static_cast<std::size_t>(which) % stride;
        while (round(number))
            number += stride;
        CHECK(number > fewest_calls);
    }

    // Nothing is left but of the pod "living", which was there before.
    void require_clean()
    {
        REQUIRE(reservations() == std::set<std::string>{"10.244.1.2", "fd00:1::2"});
        REQUIRE(veths().size() == 1);
        REQUIRE(std::distance(std::filesystem::directory_iterator(state() / "by-id"), {}) == 1);
        require_ports_of(1);
        require_admitted();
    }
    // Makes the files of a pod's attachment so old that GC may take it for stale.
    void age(const std::string& container, const std::set<std::string>& addresses) const
    {
        const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
        std::filesystem::last_write_time(state() / "by-id" / (container + ":eth0"), old);
        if (has_ports())
            std::filesystem::last_write_time(host_ports() / (container + ":eth0"), old);
        for (const std::string& address : addresses)
            std::filesystem::last_write_time(state() / address, old);
    }
    // The pod "victim", which a GC of this configuration has to remove, and the pod "living" not.
    void add_stale_victim(const PodNetns& pod)
    {
        const std::set<std::string> before = reservations();
        add("victim", pod);
        std::set<std::string> its;
        std::ranges::set_difference(reservations(), before, std::inserter(its, its.end()));
        age("victim", its);
        config["cni.dev/valid-attachments"] = {{{"containerID", "living"}, {"ifname", "eth0"}}};
    }
    // What a call that only looks must leave as it is. Carrier comes by itself, some time after a link is up.
    std::map<std::string, std::string> everything()
    {
        std::map<std::string, std::string> found;
        for (const netlink::Link& link : need(netlink::list_links(socket())))
            found[link.name] = link.alias + (link.is_up() ? " up, of " : " down, of ") +
                               std::to_string(netlink::to_int(link.master));
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(state().parent_path().parent_path()))
            if (entry.is_regular_file())
                found[entry.path()] = need(read_file(entry.path()));
        found["nftables"] = need(cni::HostPorts(host_ports()).repair(socket())) +
                            need(cni::SpoofCheck().difference(socket()));
        return found;
    }
    void require_works(const PodNetns& pod) const { require_reaches(pod, {"10.244.1.1", "fd00:1::1"}); }
    // What an ADD that was killed behind its last message had left to do, which changes nothing.
    void wait_as_the_end_of_add(const PodNetns& pod)
    {
        (void)need(netlink::find_link(socket(), cni::host_interface_name({"victim", "eth0"})));
        in_netns(pod.netns, [] {
            netlink::Socket inside = need(netlink::Socket::open());
            std::vector<IpAddress> own;
            for (const netlink::InterfaceAddress& one : need(netlink::list_addresses(inside)))
                if (!one.address.is_link_local()) // which nobody waits for
                    own.push_back(one.address);
            cni::await_local(inside, own);
        });
    }
    // A failure as the specification wants it: one JSON object with a code and a message.
    static void require_error(const CniReply& reply)
    {
        REQUIRE(reply.exit_code == 1);
        const json document = json::parse(reply.output, nullptr, false);
        REQUIRE(document.is_object());
        REQUIRE(document["code"].is_number());
        REQUIRE(document["msg"].get<std::string>().size() > 10);
    }
};

} // namespace

TEST_CASE_METHOD(EveryCall, "an ADD killed at any system call is cleaned by a DEL", "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep([&](std::size_t number) {
        Nth nth(number, Fate::killing());
        const CniReply reply = call_with(nth, "ADD", "victim", pod.path());
        CAPTURE(number, nth.call());
        REQUIRE((nth.has_met() || reply.exit_code == 0));
        del("victim", number % 2 == 0 ? pod.path() : "");
        require_clean();
        return nth.has_met();
    });
    require_works(living);
}

TEST_CASE_METHOD(EveryCall, "an ADD killed at any system call is made good by another", "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep([&](std::size_t number) {
        Nth nth(number, Fate::killing());
        (void)call_with(nth, "ADD", "victim", pod.path());
        CAPTURE(number, nth.call());
        const CniReply again = call("ADD", "victim", pod.path());
        INFO(again.output);
        // Killed after all was done, it counts as an attachment whose answer got lost.
        REQUIRE((again.exit_code == 0 || again.code() == 102));
        REQUIRE(reservations().size() == 4);
        require_ports_of(2);
        require_admitted();
        if (again.exit_code != 0)
            wait_as_the_end_of_add(pod);
        require_works(pod);
        del("victim", pod.path());
        require_clean();
        return nth.has_met();
    });
}

TEST_CASE_METHOD(EveryCall, "the first ADD of a node, killed at any system call, stops no other",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    sweep([&](std::size_t number) {
        Nth nth(number, Fate::killing());
        (void)call_with(nth, "ADD", "victim", pod.path());
        CAPTURE(number, nth.call());
        const PodNetns second = make_pod_netns();
        want_port(9090);
        add("second", second);
        want_port(8080);
        require_works(second);
        del("victim", pod.path());
        del("second", second.path());
        REQUIRE(reservations().empty());
        REQUIRE(veths().empty());
        require_ports_of(0);
        forget_network();
        return nth.has_met();
    });
}

TEST_CASE_METHOD(EveryCall, "a DEL killed at any system call is completed by another", "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep([&](std::size_t number) {
        add("victim", pod);
        Nth nth(number, Fate::killing());
        (void)call_with(nth, "DEL", "victim", pod.path());
        CAPTURE(number, nth.call());
        del("victim", number % 2 == 0 ? pod.path() : "");
        require_clean();
        return nth.has_met();
    });
}

TEST_CASE_METHOD(EveryCall, "an ADD whose system calls fail says so and leaves nothing, or does without",
                 "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures));
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep(
        [&](std::size_t number) {
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "ADD", "victim", pod.path());
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code == 0) {
                REQUIRE(reply.document()["ips"].size() == 2);
                require_ports_of(2);
                require_admitted();
                require_works(pod);
            } else if (nth.is_the_answer()) {
                REQUIRE(reply.exit_code == 1); // nobody has heard of it: left to the DEL
            } else {
                require_error(reply);
                require_clean();
            }
            del("victim", pod.path());
            require_clean();
            return nth.has_met();
        },
        fate.error);
}

TEST_CASE_METHOD(EveryCall, "a DEL whose system calls fail says so, and the next one frees the rest",
                 "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures));
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep(
        [&](std::size_t number) {
            add("victim", pod);
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "DEL", "victim", pod.path());
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code == 0) {
                REQUIRE(reply.output.empty());
                require_clean(); // success is never a leak
            } else {
                require_error(reply);
                del("victim", pod.path());
                require_clean();
            }
            return nth.has_met();
        },
        fate.error);
}

TEST_CASE_METHOD(EveryCall, "a DEL that cannot read the folder of a pod without an index says so",
                 "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures));
    const PodNetns living = make_pod_netns();
    add_living(living);
    const PodNetns pod = make_pod_netns();
    sweep(
        [&](std::size_t number) {
            add("victim", pod);
            std::filesystem::remove(state() / "by-id" / "victim:eth0");
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "DEL", "victim", "");
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code != 0) {
                require_error(reply);
                del("victim", "");
            }
            require_clean();
            return nth.has_met();
        },
        fate.error);
}

TEST_CASE_METHOD(EveryCall, "a GC killed at any system call is completed by another", "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add_living(living);
    age("living", reservations());
    const PodNetns pod = make_pod_netns();
    sweep([&](std::size_t number) {
        add_stale_victim(pod);
        Nth nth(number, Fate::killing());
        (void)call_with(nth, "GC", "", "");
        CAPTURE(number, nth.call());
        REQUIRE(call("GC", "", "").exit_code == 0);
        require_clean();
        return nth.has_met();
    });
    require_works(living);
}

TEST_CASE_METHOD(EveryCall, "a GC whose system calls fail says so, and the next one frees the rest",
                 "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures));
    const PodNetns living = make_pod_netns();
    add_living(living);
    age("living", reservations());
    const PodNetns pod = make_pod_netns();
    sweep(
        [&](std::size_t number) {
            add_stale_victim(pod);
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "GC", "", "");
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code == 0) {
                REQUIRE(reply.output.empty());
            } else {
                require_error(reply);
                REQUIRE(call("GC", "", "").exit_code == 0);
            }
            require_clean(); // success is never a leak
            return nth.has_met();
        },
        fate.error);
    require_works(living);
}

TEST_CASE_METHOD(EveryCall,
                 "a CHECK whose system calls fail, or that is killed, changes nothing and accuses no pod",
                 "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures), Fate::killing());
    const PodNetns pod = make_pod_netns();
    config["prevResult"] = add("one", pod);
    const auto before = everything();
    sweep(
        [&](std::size_t number) {
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "CHECK", "one", pod.path());
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code == 1) {
                require_error(reply);
                REQUIRE(reply.code() != 103); // whose remedy is to delete the pod
            }
            REQUIRE(everything() == before);
            return nth.has_met();
        },
        fate.error);
    REQUIRE(call("CHECK", "one", pod.path()).exit_code == 0);
}

TEST_CASE_METHOD(
    EveryCall,
    "a STATUS whose system calls fail, or that is killed, changes nothing and says nothing of pods",
    "[kernel][cni]")
{
    const Fate fate = GENERATE(from_range(failures), Fate::killing());
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    const std::filesystem::path converged = state().parent_path() / "converged";
    std::ofstream(converged) << need(read_file("/proc/sys/kernel/random/boot_id"));
    config["agentState"] = converged.string();
    const auto before = everything();
    sweep(
        [&](std::size_t number) {
            Nth nth(number, fate);
            const CniReply reply = call_with(nth, "STATUS", "", "");
            CAPTURE(fate.error, fate.kind, number, nth.call(), reply.output, reply.errors, reply.exit_code);
            if (reply.exit_code == 1) {
                require_error(reply);
                REQUIRE(reply.code() != 51); // the bridge is as it should be
            }
            REQUIRE(everything() == before);
            return nth.has_met();
        },
        fate.error);
    REQUIRE(call("STATUS", "", "").exit_code == 0);
}
