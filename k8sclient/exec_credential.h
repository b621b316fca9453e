#pragma once
#include "base/result.h"
#include "k8sclient/config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::k8s {

// What a credential plugin gave: a token, a client certificate with its key, or both.
struct PluginCredential {
    Secret token;
    std::string certificate; // PEM
    Secret key;              // PEM
    std::optional<std::chrono::system_clock::time_point>
        expires; // none: when the server no longer accepts it
};

// Reads what a plugin wrote, an ExecCredential with `status`. Fails unless it is of `api_version` and gives
// something that can be used. No text of it is in an error.
Result<PluginCredential> decode_plugin_credential(std::string_view output, std::string_view api_version);

// What a plugin is told in KUBERNETES_EXEC_INFO: an ExecCredential with `spec`. Fails when the CA cannot be
// read, which is told only to a plugin that wants it.
Result<std::string> plugin_information(const ExecPlugin& plugin, const ClusterConfig& cluster);

// The credential of a plugin, run anew when it is about to expire or was not accepted. Its output is never
// shown; the first lines of its standard error are in the error when it fails. Not thread-safe.
class ExecCredential {
public:
    // Requires: cluster.exec.
    ExecCredential(boost::asio::any_io_executor executor, const ClusterConfig& cluster,
                   std::chrono::milliseconds patience = std::chrono::seconds(30));

    // Runs the plugin if there is no credential, or one that expires within a minute. When the plugin then
    // fails, one that has not expired is used on. A credential that has expired already is used for one
    // request: it may be this machine's clock that is wrong.
    boost::asio::awaitable<Result<>> refresh();
    void reject() noexcept { is_rejected_ = true; } // the server said no; the next refresh() runs the plugin

    // Requires: a refresh() that did not fail.
    const PluginCredential& current() const { return *current_; }

private:
    boost::asio::awaitable<Result<PluginCredential>> run();

    boost::asio::any_io_executor executor_;
    ClusterConfig cluster_;
    std::chrono::milliseconds patience_;
    std::optional<PluginCredential> current_;
    bool is_rejected_ = false;
};

} // namespace routelet::k8s
