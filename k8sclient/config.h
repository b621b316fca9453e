#pragma once
#include "base/result.h"
#include "k8sclient/endpoints.h"
#include "k8sclient/exec_plugin.h"
#include "k8sclient/proxy.h"
#include "k8sclient/secret.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace routelet::k8s {

// PEM text that is either given in place or read from a file each time it is needed, since files rotate.
struct PemSource {
    std::string inline_pem; // wins over file
    std::filesystem::path file;

    bool empty() const noexcept { return inline_pem.empty() && file.empty(); }
};

// Which API server, how to trust it, and who we are.
struct ClusterConfig {
    std::string host; // DNS name or address, IPv6 without brackets
    std::uint16_t port = 443;
    std::string path_prefix;         // "" or "/k8s/clusters/x": no slash at its end
    std::vector<Endpoint> endpoints; // where the cluster's servers listen; empty: only at host and port
    ProxyRule proxy;

    PemSource ca;                // empty: the system's roots
    std::string tls_server_name; // name to verify and to send as SNI instead of host
    bool skip_tls_verify = false;

    // At most one of token, user and exec.
    Secret token;                     // start value, and the only one without token_file
    std::filesystem::path token_file; // re-read as it rotates
    std::string user;                 // Basic authentication (RFC 7617)
    Secret password;
    std::optional<ExecPlugin> exec; // asked for token or client certificate
    PemSource client_certificate;
    PemSource client_key;
    std::vector<std::pair<std::string, std::string>> headers; // of each request: who is impersonated

    std::string origin; // where this was read from, for messages: "kubeconfig /etc/k.yaml, context \"prod\""

    std::vector<Endpoint> servers() const; // those that are asked: endpoints, else the one at host and port
    std::string url() const;               // "https://[fd00::1]:6443/k8s/clusters/x"
    // All servers, for people: "https://10.0.0.1:6443, https://10.0.0.2:6443".
    std::string urls() const;
};

// From the service account that Kubernetes mounts into a pod: KUBERNETES_SERVICE_HOST and _PORT, token and
// ca.crt. Fails with a text that says which of them is missing.
Result<ClusterConfig>
load_in_cluster(const std::filesystem::path& directory = "/var/run/secrets/kubernetes.io/serviceaccount");

// From a kubeconfig file (clientcmd v1; YAML or JSON). `context` empty: its current-context. Checks what can
// be checked without a connection: fields parse, the files that it names can be read.
Result<ClusterConfig> load_kubeconfig(const std::filesystem::path& file, std::string_view context = {});

// From several, merged as kubectl does: of clusters, users and contexts of one name the first file's whole
// entry counts, and the first current-context. Names of files in an entry are relative to its file.
// `list` is as in KUBECONFIG: separated by colons; files that do not exist are passed over, at least one must
// exist, and all that do must parse.
Result<ClusterConfig> load_kubeconfig_list(std::string_view list, std::string_view context = {});

// What a Kubernetes component does without flags: --kubeconfig if given, else the list in KUBECONFIG, else
// in-cluster.
Result<ClusterConfig> load_config(const std::filesystem::path& kubeconfig_flag,
                                  std::string_view context = {});

// Replaces host and port by those of `servers`, each "host:port" or "https://host:port": for agents that
// start before the service address works, and for clusters with several servers. A certificate is still
// checked against the name that was configured, which another address of the server need not have in its
// certificate. Changes nothing when it fails. Requires: at least one server.
Result<> override_servers(ClusterConfig& config, const std::vector<std::string>& servers);

} // namespace routelet::k8s
