#pragma once
#include "test/lab/fault.h"
#include "test/lab/json.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace routelet::lab {

// A request that reached the server, in the order of arrival.
struct RequestRecord {
    std::string method;
    std::string target;
    unsigned status = 0; // 0: not answered, or not yet
    std::string user;    // "" for nobody known
    std::chrono::steady_clock::time_point when;
};

struct ServerOptions {
    std::string listen = "127.0.0.1:0";   // address:port; also "[::1]:0"
    std::filesystem::path directory = {}; // CA, certificates, kubeconfigs, tokens, store: kept over restarts
    std::vector<std::string> names = {};  // further names or addresses for the certificate
    std::chrono::milliseconds bookmark_interval{60'000};
    bool watch_list = true; // streaming lists (sendInitialEvents); else they are refused, as before 1.34
    std::size_t simulated_nodes = 0;               // besides those of the store (simulated_nodes.h)
    std::size_t simulated_node_bytes = 18'000;     // of each as JSON, about
    std::chrono::milliseconds version_wait{3'000}; // for a resourceVersion that is yet to come, then 504
    std::function<void(const RequestRecord&)> on_write = {}; // each answered write, on the server's thread
};

// An API server for Nodes and Events over TLS, with bearer tokens: what Routelet and kubectl need of a real
// one, and the seat of fault injection. Runs on its own thread; listens when the constructor returns.
//
// In `directory`: ca.crt, server.crt and the keys; tokens (see access.h); kubeconfig (admin) and
// agent.kubeconfig; store.json, saved within moments of a write and at the end.
// Thread-safe. Throws std::exception when it cannot start.
class Server {
public:
    explicit Server(ServerOptions options);
    ~Server();

    std::uint16_t port() const;
    std::string url() const;                        // https://127.0.0.1:6443
    std::filesystem::path kubeconfig() const;       // an administrator's
    std::filesystem::path agent_kubeconfig() const; // with the rights of Routelet's agent
    std::filesystem::path ca_file() const;
    std::filesystem::path tokens_file() const;
    std::string token() const; // the administrator's
    std::string agent_token() const;

    // Creates or replaces a Node, unchecked: any strings are taken as they are. uid and creationTimestamp are
    // made for those that have none, and kept when it is replaced by one without.
    void put_node(const Json& node);
    void delete_node(const std::string& name);
    std::uint64_t version() const; // resourceVersion of the last write
    void compact();                // forgets history: older watches and continues get 410

    void inject(const Fault& fault); // behind those that are in force already
    void heal();                     // no further request is struck; what was struck stays so
    std::vector<RequestRecord> requests() const;

    void stop();  // connections are cut, connecting is refused
    void start(); // same port, same data

private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

} // namespace routelet::lab
