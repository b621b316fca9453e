#include "test/lab/server.h"

#include "base/file.h"
#include "test/lab/certificate.h"
#include "test/lab/client_files.h"
#include "test/lab/lab.h"
#include "test/lab/session.h"
#include "test/lab/writes.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <future>
#include <stdexcept>
#include <thread>

namespace routelet::lab {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

// "127.0.0.1:6443", "[::1]:0".
tcp::endpoint endpoint_of(const std::string& listen)
{
    const auto colon = listen.rfind(':');
    if (colon == std::string::npos)
        throw std::invalid_argument("\"" + listen + "\" is not address:port");
    std::string address = listen.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
    const int port = std::stoi(listen.substr(colon + 1));
    return {asio::ip::make_address(address), static_cast<std::uint16_t>(port)};
}

std::vector<std::string> certificate_names(const ServerOptions& options, const tcp::endpoint& listen)
{
    std::vector<std::string> names = {"localhost", "kubernetes.default.svc", "127.0.0.1", "::1"};
    const auto add = [&](const std::string& name) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    };
    if (!listen.address().is_unspecified())
        add(listen.address().to_string());
    for (const auto& name : options.names)
        add(name);
    return names;
}

Store loaded(const std::filesystem::path& file, Version at_least)
{
    Json snapshot = {{"version", at_least}, {"objects", Json::object()}};
    if (std::filesystem::exists(file))
        snapshot = Json::parse(read_file(file, std::size_t{4} << 30U).value());
    snapshot["version"] = std::max(at_least, snapshot.at("version").get<Version>());
    Store store = Store::restored(snapshot);
    if (!store.list("namespaces/").empty())
        return store;
    for (const char* name : {"default", "kube-node-lease", "kube-public", "kube-system"}) {
        Json space = {{"apiVersion", "v1"},
                      {"kind", "Namespace"},
                      {"metadata", {{"name", name}}},
                      {"status", {{"phase", "Active"}}}};
        complete_metadata(space);
        store.put("namespaces/" + std::string(name), std::move(space));
    }
    return store;
}

ServerOptions prepared(ServerOptions options)
{
    std::filesystem::create_directories(options.directory);
    return options;
}

} // namespace

// The server's thread and all that lives on it.
class Server::Loop {
public:
    explicit Loop(ServerOptions options);
    ~Loop();

    // Runs `work` on the server's thread and waits for it.
    template <class Work>
    auto on_thread(Work work)
    {
        std::packaged_task<decltype(work())()> task(std::move(work));
        auto done = task.get_future();
        asio::post(context_, [&task] { task(); });
        return done.get();
    }

    void listen();
    void stop();
    void changed();
    std::string url() const;

    const ServerOptions options;
    const SimulatedNodes simulated;
    Lab lab;
    tcp::endpoint endpoint; // with the port that was found
    Identity identity;
    std::string admin_token;
    std::string agent_token;

private:
    static asio::awaitable<void> accept(Loop* loop);
    void save();

    asio::io_context context_{1};
    asio::ssl::context tls_{asio::ssl::context::tls_server};
    tcp::acceptor acceptor_{context_};
    asio::steady_timer save_timer_{context_};
    bool is_save_due_ = false;
    Clock::duration last_save_{};
    std::vector<std::weak_ptr<Session>> sessions_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    std::thread thread_;
};

Server::Loop::Loop(ServerOptions given)
    : options(prepared(std::move(given))), simulated(options.simulated_nodes, options.simulated_node_bytes),
      lab(loaded(options.directory / "store.json", simulated.version()),
          {.watch_list = options.watch_list, .simulated = simulated.count() > 0 ? &simulated : nullptr}),
      endpoint(endpoint_of(options.listen)),
      identity(identity_in(options.directory, certificate_names(options, endpoint)))
{
    lab.tokens = options.directory / "tokens";
    lab.bookmark_interval = options.bookmark_interval;
    lab.version_wait = options.version_wait;
    lab.on_write = options.on_write;
    lab.on_change = [this] { changed(); };
    admin_token = token_of(lab.tokens, admin_name);
    agent_token = token_of(lab.tokens, agent_name);

    tls_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    tls_.use_certificate_chain_file(identity.certificate.string());
    tls_.use_private_key_file(identity.key.string(), asio::ssl::context::pem);

    listen();
    write_kubeconfig(options.directory / "kubeconfig", url(), identity.ca, admin_token);
    write_kubeconfig(options.directory / "agent.kubeconfig", url(), identity.ca, agent_token);
    thread_ = std::thread([this] { context_.run(); });
}

Server::Loop::~Loop()
{
    on_thread([this] {
        stop();
        save();
        work_.reset();
    });
    thread_.join();
}

void Server::Loop::listen()
{
    if (acceptor_.is_open())
        return;
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    endpoint = acceptor_.local_endpoint();
    asio::co_spawn(context_, accept(this), asio::detached);
}

asio::awaitable<void> Server::Loop::accept(Loop* loop)
{
    for (;;) {
        boost::system::error_code error;
        tcp::socket socket =
            co_await loop->acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!loop->acceptor_.is_open())
            co_return;
        if (error)
            continue; // the client was gone before it was accepted
        std::erase_if(loop->sessions_, [](const auto& session) { return session.expired(); });
        loop->sessions_.push_back(serve(std::move(socket), loop->tls_, loop->lab));
    }
}

void Server::Loop::stop()
{
    boost::system::error_code ignored; // closing what is closed
    acceptor_.close(ignored);
    for (const auto& weak : sessions_)
        if (const auto session = weak.lock())
            session->cut();
    sessions_.clear();
}

// The first change is saved at once; in a flood of them a tenth of the time goes into saving.
void Server::Loop::changed()
{
    lab.wake();
    if (std::exchange(is_save_due_, true))
        return;
    save_timer_.expires_after(last_save_ * 10);
    save_timer_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled)
            save();
    });
}

void Server::Loop::save()
{
    const auto start = Clock::now();
    is_save_due_ = false;
    save_timer_.cancel();
    write_file_atomically(options.directory / "store.json", to_text(lab.store.snapshot())).value();
    last_save_ = Clock::now() - start;
}

std::string Server::Loop::url() const
{
    std::string host = endpoint.address().to_string();
    if (endpoint.address().is_unspecified())
        host = options.names.empty() ? "localhost" : options.names.front();
    const bool v6 = host.find(':') != std::string::npos;
    return "https://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

Server::Server(ServerOptions options) : loop_(std::make_unique<Loop>(std::move(options))) {}
Server::~Server() = default;

std::uint16_t Server::port() const
{
    return loop_->endpoint.port();
}

std::string Server::url() const
{
    return loop_->url();
}

std::filesystem::path Server::kubeconfig() const
{
    return loop_->options.directory / "kubeconfig";
}

std::filesystem::path Server::agent_kubeconfig() const
{
    return loop_->options.directory / "agent.kubeconfig";
}

std::filesystem::path Server::ca_file() const
{
    return loop_->identity.ca;
}

std::filesystem::path Server::tokens_file() const
{
    return loop_->options.directory / "tokens";
}

std::string Server::token() const
{
    return loop_->admin_token;
}

std::string Server::agent_token() const
{
    return loop_->agent_token;
}

void Server::put_node(const Json& node)
{
    const std::string name = text_at(node, {"metadata", "name"});
    if (name.empty())
        throw std::invalid_argument("a Node needs metadata.name");
    loop_->on_thread([&] {
        Json completed = node;
        completed["apiVersion"] = "v1";
        completed["kind"] = "Node";
        if (const Object before = loop_->lab.store.find("nodes/" + name))
            for (const char* own : {"uid", "creationTimestamp"})
                if (!completed["metadata"].contains(own))
                    completed["metadata"][own] = text_at(*before, {"metadata", own});
        complete_metadata(completed);
        loop_->lab.store.put("nodes/" + name, std::move(completed));
        loop_->changed();
    });
}

void Server::delete_node(const std::string& name)
{
    loop_->on_thread([&] {
        loop_->lab.store.remove("nodes/" + name);
        loop_->changed();
    });
}

std::uint64_t Server::version() const
{
    return loop_->on_thread([&] { return loop_->lab.store.version(); });
}

void Server::compact()
{
    loop_->on_thread([&] {
        loop_->lab.store.compact();
        loop_->changed();
    });
}

void Server::inject(const Fault& fault)
{
    loop_->on_thread([&] { loop_->lab.faults.add(fault); });
}

void Server::heal()
{
    loop_->on_thread([&] { loop_->lab.faults.clear(); });
}

std::vector<RequestRecord> Server::requests() const
{
    return loop_->on_thread([&] { return loop_->lab.requests; });
}

void Server::stop()
{
    loop_->on_thread([&] { loop_->stop(); });
}

void Server::start()
{
    loop_->on_thread([&] { loop_->listen(); });
}

} // namespace routelet::lab
