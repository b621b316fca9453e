#pragma once
#include "k8sclient/access_notice.h"
#include "k8sclient/connection.h"
#include "k8sclient/exec_credential.h"
#include "k8sclient/tls_files.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>
#include <string>

namespace routelet::k8s {

// Which server is asked and as whom: the endpoint whose turn it is, and the credentials as they are now.
// Private to k8sclient; stay on its executor.
class ServerAccess {
public:
    ServerAccess(boost::asio::any_io_executor executor, ClusterConfig config);

    // As configured, but with the endpoint whose turn it is.
    const ClusterConfig& cluster() const noexcept { return config_; }

    // To be told from then on.
    void on_notice(std::function<void(const AccessNotice&)> told) { told_ = std::move(told); }

    // Before every request: reads the token's file, asks the credential plugin. True when there is another
    // client certificate, so that connections from before are somebody else's.
    boost::asio::awaitable<Result<bool>> refresh();

    // Of the request that is to be sent: "Bearer ...", "Basic ...", or nothing.
    Secret authorization() const;

    // To the endpoint whose turn it is or, where that fails, to each of the others once.
    boost::asio::awaitable<Result<Connection>> open();

    // A server that was connected to is busy, silent or going down: it is the next one's turn.
    void leave(const Error& why);
    void reject_credentials() noexcept; // the server said 401

private:
    void use_current_endpoint();
    void note_connected();
    void note_trouble(const std::optional<Error>& trouble);
    void tell(const AccessNotice& notice) const;

    boost::asio::any_io_executor executor_;
    ClusterConfig config_;
    Endpoints endpoints_;
    TlsFiles tls_;
    std::optional<ExecCredential> exec_;
    std::function<void(const AccessNotice&)> told_;
    std::string connected_; // URL of the last server that a connection came about with
    std::string left_;      // why a server was left since then
    std::string trouble_;   // of the files, as it was told
};

} // namespace routelet::k8s
