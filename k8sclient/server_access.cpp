#include "k8sclient/server_access.h"

#include "k8sclient/credentials.h"

#include <boost/asio/use_awaitable.hpp>

#include <random>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;

} // namespace

ServerAccess::ServerAccess(asio::any_io_executor executor, ClusterConfig config)
    : executor_(std::move(executor)), config_(std::move(config)),
      endpoints_(config_.servers(), std::random_device{}())
{
    if (config_.exec)
        exec_.emplace(executor_, config_);
    use_current_endpoint();
}

void ServerAccess::use_current_endpoint()
{
    config_.host = endpoints_.current().host;
    config_.port = endpoints_.current().port;
}

asio::awaitable<Result<bool>> ServerAccess::refresh()
{
    // A file that cannot be read, or is empty in mid-rotation, leaves the last good token.
    if (!config_.token_file.empty())
        if (auto token = read_token_file(config_.token_file))
            config_.token = std::move(*token);
    if (!exec_)
        co_return false;

    Result<> asked = co_await exec_->refresh();
    if (!asked)
        co_return asked.error().within(config_.origin);
    const PluginCredential& credential = exec_->current();
    config_.token = credential.token;
    if (credential.certificate.empty() || credential.certificate == config_.client_certificate.inline_pem)
        co_return false;
    config_.client_certificate.inline_pem = credential.certificate;
    config_.client_key.inline_pem = credential.key.reveal();
    co_return true;
}

Secret ServerAccess::authorization() const
{
    if (!config_.token.empty())
        return Secret("Bearer " + config_.token.reveal());
    if (!config_.user.empty())
        return Secret("Basic " + encode_base64(config_.user + ":" + config_.password.reveal()));
    return {};
}

asio::awaitable<Result<Connection>> ServerAccess::open()
{
    const Result<TlsMaterial> material = tls_.read(config_);
    if (!material)
        co_return material.error();
    note_trouble(tls_.trouble());

    Error all;
    for (std::size_t tried = 0; tried < endpoints_.size(); ++tried) {
        Result<Connection> opened = co_await Connection::open(executor_, config_, *material);
        if (opened) {
            note_connected();
            co_return std::move(*opened);
        }
        const std::string before = all.context.empty() ? "" : all.text() + "; ";
        all = {opened.error().code, before + opened.error().context};
        leave(opened.error());
    }
    co_return all;
}

void ServerAccess::leave(const Error& why)
{
    endpoints_.leave_current();
    use_current_endpoint();
    left_ = why.text();
}

void ServerAccess::reject_credentials() noexcept
{
    if (exec_)
        exec_->reject();
}

// Told only where there is a choice of servers.
void ServerAccess::note_connected()
{
    const std::string server = config_.url();
    if (endpoints_.size() > 1 && server != connected_) {
        AccessNotice notice{.what = AccessNotice::What::connected, .server = server};
        if (!left_.empty())
            notice.error = Error{{}, left_};
        tell(notice);
    }
    connected_ = server;
    left_.clear();
}

void ServerAccess::note_trouble(const std::optional<Error>& trouble)
{
    const std::string text = trouble ? trouble->text() : "";
    if (text == trouble_)
        return;
    trouble_ = text;
    if (trouble)
        tell({.what = AccessNotice::What::credentials_kept, .error = trouble});
    else
        tell({.what = AccessNotice::What::credentials_good});
}

void ServerAccess::tell(const AccessNotice& notice) const
{
    if (told_)
        told_(notice);
}

} // namespace routelet::k8s
