#pragma once
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::k8s {

// A bearer token, password or private key. Has no operator<<, so a log line that would print it does not
// compile.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_;
};

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
    std::string path_prefix; // "" or "/k8s/clusters/x": no slash at its end

    PemSource ca;                // empty: the system's roots
    std::string tls_server_name; // name to verify and to send as SNI instead of host
    bool skip_tls_verify = false;

    Secret token;                     // start value, and the only one without token_file
    std::filesystem::path token_file; // re-read as it rotates
    PemSource client_certificate;
    PemSource client_key;

    std::string origin; // where this was read from, for messages: "kubeconfig /etc/k.yaml, context \"prod\""

    std::string url() const; // "https://[fd00::1]:6443/k8s/clusters/x"
};

// From the service account that Kubernetes mounts into a pod: KUBERNETES_SERVICE_HOST and _PORT, token and
// ca.crt. Fails with a text that says which of them is missing.
Result<ClusterConfig>
load_in_cluster(const std::filesystem::path& directory = "/var/run/secrets/kubernetes.io/serviceaccount");

// From a kubeconfig file (clientcmd v1; YAML or JSON). `context` empty: its current-context. Checks what can
// be checked without a connection: fields parse, the files that it names can be read.
Result<ClusterConfig> load_kubeconfig(const std::filesystem::path& file, std::string_view context = {});

// What a Kubernetes component does without flags: --kubeconfig if given, else KUBECONFIG, else in-cluster. Of
// a list in KUBECONFIG the first file that exists is used; its files are not merged.
Result<ClusterConfig> load_config(const std::filesystem::path& kubeconfig_flag,
                                  std::string_view context = {});

// Replaces host and port: for agents that start before the service address works. "host:port" or
// "https://host:port". The certificate is still checked against the name that was configured, which the
// other address of the same server need not have in its certificate.
Result<> override_server(ClusterConfig& config, std::string_view server);

} // namespace routelet::k8s
