#include "base/log_line.h"
#include "base/version.h"
#include "test/lab/server.h"
#include "test/lab/simulated_nodes.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <iostream>

using namespace routelet;

namespace {

constexpr auto footer = R"(
Then: kubectl --kubeconfig DIR/kubeconfig get nodes -o wide
kubectl before 1.27 needs --validate=false for create, apply and replace.

Tokens are in DIR/tokens (token,user,uid,"groups"; read for every request). An administrator may also ask
the lab itself:

  curl --cacert DIR/ca.crt -H "Authorization: Bearer $TOKEN" https://127.0.0.1:6443/lab/faults -d '{
    "what": "cut", "requests": "watch", "after_frames": 3 }'

  POST   /lab/faults     add one fault, or a list of them; the first that fits a request strikes it
  GET    /lab/faults     those in force
  DELETE /lab/faults     heal
  POST   /lab/compact    forget history: older watches and continue tokens get 410
  GET    /lab/requests   method, target and status of every request so far

Members of a fault:
  what          refuse silence cut status garbage byte_by_byte delay gone no_bookmarks duplicate chunks
                content_type empty_list
  requests      any (default) list watch get write connect; connect: a connection, before TLS
  target        only requests whose target has this text in it: "/events"
  times         how many requests it strikes, default 1; 0: until healed
  after_frames, after_bytes   what comes through first (cut, silence, garbage, gone)
  status, retry_after, body   for status; body also for garbage
  content_type, delay_ms, size (of chunks), reset (cut: false ends without a TCP reset)

Examples:
  {"what":"status","requests":"list","status":429,"retry_after":"1","body":"Too many requests","times":0}
  {"what":"silence","requests":"watch","after_frames":1}    a watch that goes quiet after one event
  {"what":"gone","requests":"watch"}                        410 at once, inside HTTP 200
  {"what":"byte_by_byte","requests":"list","delay_ms":1}
  [{"what":"refuse","requests":"connect","times":5},{"what":"empty_list","requests":"list"}]
)";

void print(const LogLine& line)
{
    std::cout << to_logfmt(line, std::chrono::system_clock::now()) << std::endl;
}

void print_write(const lab::RequestRecord& request)
{
    print(LogLine(LogLevel::info, "lab-write")
              .with("method", request.method)
              .with("target", request.target)
              .with("status", request.status)
              .with("user", request.user));
}

void run(lab::ServerOptions options)
{
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr); // before the server's thread, which inherits it

    options.on_write = print_write;
    const lab::Server server(std::move(options));
    print(LogLine(LogLevel::info, "lab-ready")
              .with("url", server.url())
              .with("kubeconfig", server.kubeconfig().string())
              .with("agent_kubeconfig", server.agent_kubeconfig().string()));
    int signal = 0;
    sigwait(&stop_signals, &signal);
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app("A small Kubernetes API server for Nodes, to try Routelet on and to break on purpose");
    app.footer(footer);
    app.set_version_flag("--version", std::string(version()));
    lab::ServerOptions options;
    options.listen = "127.0.0.1:6443";
    double bookmark_seconds = 60;
    app.add_option("--listen", options.listen, "address:port")->capture_default_str();
    app.add_option("--directory", options.directory, "for certificates, tokens, kubeconfigs and the store")
        ->required();
    app.add_option("--name", options.names, "further name or address for the certificate (repeatable)");
    app.add_option("--bookmark-interval", bookmark_seconds, "seconds between a watch's bookmarks")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_flag("--watch-list,!--no-watch-list", options.watch_list,
                 "answer streaming lists (sendInitialEvents), as 1.34 does; without: refuse them (422)");
    app.add_option(
           "--simulated-nodes", options.simulated_nodes,
           "besides those that are kept, this many Nodes that never change, made on the fly for each LIST\n"
           "and WATCH of all Nodes: podCIDRs from 10.0.0.0/8, InternalIPs from 172.16.0.0/12")
        ->check(CLI::Range(std::size_t{0}, lab::SimulatedNodes::limit))
        ->capture_default_str();
    app.add_option("--simulated-node-bytes", options.simulated_node_bytes,
                   "how long each of them is as JSON, about")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    try {
        options.bookmark_interval = std::chrono::milliseconds(static_cast<long>(bookmark_seconds * 1000));
        run(std::move(options));
    } catch (const std::exception& error) {
        std::cerr << "routelet-lab-apiserver: " << error.what() << '\n';
        return 1;
    }
}
