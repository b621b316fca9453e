#pragma once
#include "k8sclient/node_reflector.h"
#include "test/lab/server.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// A NodeReflector at work on a lab server, and what has to hold of that whatever the server does: the table
// of nodes ends equal to the server's, and nothing was seen on the way that the server was not made to do.
namespace routelet::test {

using namespace std::chrono_literals;
using k8s::Encoding;
using lab::Fault;
using lab::Json;
using What = k8s::WatchNotice::What;

constexpr auto patience = 20s; // for what takes milliseconds on an idle machine

inline Json node(const std::string& name, const std::string& pod_cidr)
{
    return {{"apiVersion", "v1"},
            {"kind", "Node"},
            {"metadata", {{"name", name}}},
            {"spec", {{"podCIDR", pod_cidr}, {"podCIDRs", {pod_cidr}}}},
            {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "192.168.1.11"}}}}}}};
}

// What the controller would keep: the first podCIDR of each node, by name.
using Table = std::map<std::string, std::string>;

inline const Table both = {{"node01", "10.244.1.0/24"}, {"node02", "10.244.2.0/24"}};
inline const Table all_three = {
    {"node01", "10.244.1.0/24"}, {"node02", "10.244.2.0/24"}, {"node03", "10.244.3.0/24"}};

// What the server was made to do.
struct Truth {
    Table nodes;
    std::map<std::string, std::string> uids = {}; // by name, of nodes
    std::set<Table::value_type> states = {};      // of any node at any time
    std::set<std::string> deleted = {};           // uids
};

// A server with node01 and node02. Nodes are changed through put() and remove() only.
struct Lab {
    TemporaryDirectory directory;
    lab::ServerOptions options;
    std::optional<lab::Server> server;
    Truth truth;
    unsigned last_uid = 0;

    explicit Lab(lab::ServerOptions with = {}) : options(std::move(with))
    {
        options.directory = directory.path;
        server.emplace(options);
        options.listen = server->url().substr(std::string("https://").size());
        for (const auto& [name, pod_cidr] : both)
            put(name, pod_cidr);
    }

    void put(const std::string& name, const std::string& pod_cidr) { put(node(name, pod_cidr)); }
    void put(const Json& object)
    {
        const std::string name = object["metadata"]["name"];
        const Json spec = object.value("spec", Json::object());
        truth.nodes[name] = spec.value("podCIDR", "");
        truth.states.insert(*truth.nodes.find(name));
        server->put_node(with_uid(object));
    }
    // A node that was removed meanwhile gets another one.
    Json with_uid(Json object)
    {
        const std::string name = object["metadata"]["name"];
        const std::string next = "uid-" + std::to_string(++last_uid);
        object["metadata"]["uid"] = truth.uids.try_emplace(name, next).first->second;
        return object;
    }
    void remove(const std::string& name)
    {
        truth.nodes.erase(name);
        if (const auto gone = truth.uids.extract(name))
            truth.deleted.insert(gone.mapped());
        server->delete_node(name);
    }
    // Another node under its name, without a word of the first one's end.
    void remake(const std::string& name, const std::string& pod_cidr)
    {
        if (const auto gone = truth.uids.extract(name))
            truth.deleted.insert(gone.mapped());
        put(name, pod_cidr);
    }
    // Cuts every connection; faults of connecting strike then.
    void restart()
    {
        server->stop();
        server->start();
    }
    // The same nodes, as an etcd that began anew has them: at versions that the reflector is ahead of.
    void begin_versions_anew()
    {
        server.reset();
        std::filesystem::remove(directory.path / "store.json");
        server.emplace(options);
        for (const auto& [name, pod_cidr] : Table(truth.nodes))
            put(name, pod_cidr);
    }

    k8s::ClusterConfig config() const { return need(k8s::load_kubeconfig(server->agent_kubeconfig())); }
    std::vector<std::string> targets(bool watches) const
    {
        std::vector<std::string> found;
        for (const lab::RequestRecord& request : server->requests())
            if ((request.target.find("watch=1") != std::string::npos) == watches)
                found.push_back(request.target);
        return found;
    }
    std::size_t lists() const { return targets(false).size(); }
    std::size_t watches() const { return targets(true).size(); } // streaming lists as well
};

// Keeps the nodes, and notes what is not as it has to be.
struct Recorder : k8s::NodeObserver {
    const Truth& truth;
    Table nodes;
    std::map<std::string, std::string> uids; // by name, of nodes
    Table listing;
    std::map<std::string, std::string> listing_uids;
    bool is_listing = false;
    std::vector<k8s::WatchNotice> notices;
    std::size_t replacements = 0;
    std::size_t upserts = 0;
    std::size_t deletions = 0;
    std::size_t heard_of = 0;
    k8s::Node last_upserted;
    std::vector<std::string> withdrawn; // by name: it was there, and then it was not, or another was
    std::vector<std::string> wrong;

    explicit Recorder(const Truth& server) : truth(server) {}

    void list_begins() override
    {
        is_listing = true;
        listing.clear();
        listing_uids.clear();
    }
    void listed(k8s::Node one) override
    {
        if (!is_listing)
            wrong.push_back("listed outside of a list: " + one.name);
        listing[one.name] = state_of(one);
        listing_uids[one.name] = uid_of(one);
    }
    void replaced(Clock::time_point) override
    {
        ++replacements;
        is_listing = false;
        for (const auto& [name, uid] : uids) {
            const auto now = listing_uids.find(name);
            if (now == listing_uids.end() || now->second != uid)
                note_withdrawal(name, uid);
        }
        nodes = listing;
        uids = listing_uids;
        std::ranges::for_each(nodes, [this](const auto& one) { note_state(one); });
    }
    void heard() override { ++heard_of; }
    void upserted(k8s::Node one, Clock::time_point) override
    {
        ++upserts;
        if (is_listing)
            wrong.push_back("changed within a list: " + one.name);
        const std::string uid = uid_of(one);
        if (const auto before = uids.find(one.name); before != uids.end() && before->second != uid)
            note_withdrawal(one.name, before->second);
        nodes[one.name] = state_of(one);
        uids[one.name] = uid;
        note_state(*nodes.find(one.name));
        last_upserted = std::move(one);
    }
    void deleted(k8s::Node one, Clock::time_point) override
    {
        ++deletions;
        if (is_listing)
            wrong.push_back("deleted within a list: " + one.name);
        nodes.erase(one.name);
        if (const auto gone = uids.extract(one.name))
            note_withdrawal(one.name, gone.mapped());
    }
    void noticed(const k8s::WatchNotice& notice) override { notices.push_back(notice); }

    // Of a node that is too large only the name is known: it stays what it was.
    std::string state_of(const k8s::Node& one) const
    {
        const auto before = nodes.find(one.name);
        if (one.is_oversized && before != nodes.end())
            return before->second;
        return one.pod_cidrs.empty() ? "" : one.pod_cidrs[0];
    }
    std::string uid_of(const k8s::Node& one) const
    {
        const auto before = uids.find(one.name);
        return one.is_oversized && before != uids.end() ? before->second : one.uid;
    }
    void note_state(const Table::value_type& one)
    {
        if (!truth.states.contains(one))
            wrong.push_back("the server never had " + one.first + " with " + one.second);
    }
    void note_withdrawal(const std::string& name, const std::string& uid)
    {
        withdrawn.push_back(name);
        if (!truth.deleted.contains(uid))
            wrong.push_back("withdrawn, though the server has it: " + name + ", " + uid);
    }

    std::size_t count(What what) const
    {
        return static_cast<std::size_t>(std::ranges::count(notices, what, &k8s::WatchNotice::what));
    }
    const k8s::WatchNotice& last(What what) const
    {
        const auto found = std::ranges::find(notices.rbegin(), notices.rend(), what, &k8s::WatchNotice::what);
        if (found == notices.rend())
            throw std::out_of_range("no such notice");
        return *found;
    }
    // The text of the last failure.
    std::string trouble() const
    {
        for (auto notice = notices.rbegin(); notice != notices.rend(); ++notice)
            if (notice->error)
                return notice->error->text();
        return "";
    }
};

// The reflector's own, with waits that fit a test.
inline k8s::ReflectorOptions quick(Encoding encoding = Encoding::json, bool streaming = false)
{
    k8s::ReflectorOptions options;
    options.backoff_first = 20ms;
    options.backoff_most = 200ms;
    options.doubt = 50ms;
    options.encoding = encoding;
    options.streaming_list = streaming;
    return options;
}

// For GENERATE(from_range(...)).
inline std::vector<k8s::ReflectorOptions> both_encodings(bool streaming = false)
{
    return {quick(Encoding::json, streaming), quick(Encoding::protobuf, streaming)};
}
inline std::vector<k8s::ReflectorOptions> every_way()
{
    return {quick(Encoding::json, false), quick(Encoding::protobuf, false), quick(Encoding::json, true),
            quick(Encoding::protobuf, true)};
}

// Injects what strikes watches from the first on, but not the streaming list that the first may begin with.
inline void inject_watching(Lab& lab, const k8s::ReflectorOptions& options, Fault fault)
{
    fault.requests = Fault::Requests::watch;
    if (options.streaming_list) {
        Fault first = fault;
        first.times = 1;
        first.after_frames += both.size() + 1; // the mark of its end
        lab.server->inject(first);
        if (fault.times == 1)
            return;
        fault.times -= fault.times > 0 ? 1 : 0;
    }
    lab.server->inject(fault);
}

// A reflector at work, on this thread.
struct Reflection {
    Lab& lab;
    Catch::ScopedMessage way; // shown with what fails
    boost::asio::io_context loop;
    Recorder seen;
    k8s::NodeReflector reflector;
    boost::asio::cancellation_signal stop;
    std::exception_ptr ended;
    bool has_ended = false;

    explicit Reflection(Lab& on, k8s::ReflectorOptions options = quick())
        : Reflection(on, on.config(), options)
    {
    }
    Reflection(Lab& on, k8s::ClusterConfig config, k8s::ReflectorOptions options)
        : lab(on), way(Catch::MessageBuilder("INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info)
                       << (options.encoding == Encoding::json ? "JSON" : "protobuf")
                       << (options.streaming_list ? ", a streaming list" : ", a plain list")),
          seen(lab.truth), reflector(loop.get_executor(), std::move(config), seen, options)
    {
        boost::asio::co_spawn(
            loop, reflector.run(),
            boost::asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr how) {
                ended = how;
                has_ended = true;
            }));
    }
    ~Reflection() { cancel(); }

    // True as soon as `condition` is.
    template <class Condition>
    bool sees(Condition condition, std::chrono::milliseconds limit = patience)
    {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!condition() && std::chrono::steady_clock::now() < deadline)
            loop.run_one_for(20ms);
        return condition();
    }
    bool sees_nodes(const Table& expected)
    {
        return sees([&] { return seen.nodes == expected; });
    }
    bool sees_truth() { return sees_nodes(lab.truth.nodes); }
    bool sees_notice(What what, std::size_t times = 1)
    {
        return sees([&] { return seen.count(what) >= times; });
    }
    // True if it ended by that, promptly.
    bool cancel()
    {
        stop.emit(boost::asio::cancellation_type::terminal);
        return sees([this] { return has_ended; }, 5s);
    }

    // Ends the faults, and checks what has to hold after each of them: the reflector follows the server
    // again, saw nothing that was not, and made no more requests than that needs.
    void expect_healed(std::size_t most_requests = 20)
    {
        lab.server->heal();
        lab.server->start();
        lab.put("healed", "10.244.250.0/24");
        CHECK(sees_truth());
        lab.remove("healed");
        CHECK(sees_truth());
        CHECK(seen.nodes == lab.truth.nodes); // shown when it is not
        CHECK(seen.wrong == std::vector<std::string>{});
        CHECK_FALSE(has_ended);
        CHECK(lab.server->requests().size() <= most_requests);
    }
};

} // namespace routelet::test
