#include "k8sclient/exec_credential.h"

#include "base/rfc3339.h"
#include "k8sclient/child_process.h"
#include "k8sclient/credentials.h"
#include "k8sclient/tls.h"

#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using Clock = std::chrono::system_clock;

constexpr std::chrono::seconds before_expiry{60};
constexpr std::size_t most_words = 300; // bytes of a plugin's complaint that are shown
constexpr int most_lines = 3;

Error bad_answer(std::string_view why)
{
    return make_error(boost::system::errc::invalid_argument, std::string(why));
}

// A member that is a text; empty when there is none. Nothing when it is something else.
std::optional<std::string> text_at(const json& object, const char* key)
{
    const auto member = object.find(key);
    if (member == object.end() || member->is_null())
        return "";
    return member->is_string() ? std::optional(member->get<std::string>()) : std::nullopt;
}

Result<> read_status(const json& status, PluginCredential& credential)
{
    const auto token = text_at(status, "token");
    auto certificate = text_at(status, "clientCertificateData");
    auto key = text_at(status, "clientKeyData");
    const auto expires = text_at(status, "expirationTimestamp");
    if (!token || !certificate || !key || !expires)
        return bad_answer("a field of its status is not a text");
    if (!token->empty()) {
        auto parsed = parse_token(*token, "its token");
        if (!parsed)
            return parsed.error();
        credential.token = std::move(*parsed);
    }
    if (certificate->empty() != key->empty())
        return bad_answer("it gave one of clientCertificateData and clientKeyData without the other");
    if (token->empty() && certificate->empty())
        return bad_answer("it gave neither a token nor a client certificate");
    if (!certificate->empty())
        if (auto usable = check_key_pair(*certificate, *key, "its client certificate"); !usable)
            return usable;
    credential.certificate = std::move(*certificate);
    credential.key = Secret(std::move(*key));
    if (!expires->empty()) {
        credential.expires = parse_rfc3339(*expires);
        if (!credential.expires)
            return bad_answer("its expirationTimestamp is no time as RFC 3339 writes it");
    }
    return {};
}

// The beginning of what a plugin complained of, on one line.
std::string first_words(std::string_view errors)
{
    std::string words;
    int lines = 0;
    for (const char c : errors.substr(0, most_words)) {
        if (c == '\n' && ++lines == most_lines)
            break;
        const auto byte = static_cast<unsigned char>(c);
        words += byte < ' ' || byte == 0x7f ? ' ' : c;
    }
    words.erase(words.find_last_not_of(' ') + 1);
    return words;
}

// Ours, with what the plugin's entry adds, and what it is told.
std::vector<std::string> environment_for(const ExecPlugin& plugin, const std::string& information)
{
    auto added = plugin.environment;
    added.emplace_back("KUBERNETES_EXEC_INFO", information);
    std::vector<std::string> all;
    for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const std::string_view name = text.substr(0, text.find('='));
        if (std::ranges::none_of(added, [&](const auto& one) { return one.first == name; }))
            all.emplace_back(text);
    }
    for (const auto& [name, value] : added)
        all.push_back(name + "=" + value);
    return all;
}

std::string name_of(const ExecPlugin& plugin)
{
    return "credential plugin " + plugin.command;
}

} // namespace

Result<PluginCredential> decode_plugin_credential(std::string_view output, std::string_view api_version)
{
    const json document = json::parse(output, nullptr, false);
    if (!document.is_object())
        return bad_answer("what it wrote is not JSON, or not an object");
    if (text_at(document, "kind") != "ExecCredential")
        return bad_answer("what it wrote is no ExecCredential");
    if (text_at(document, "apiVersion") != api_version)
        return bad_answer("what it wrote is not of apiVersion " + std::string(api_version) +
                          ", which the kubeconfig names");
    const auto status = document.find("status");
    if (status == document.end() || !status->is_object())
        return bad_answer("what it wrote has no status");
    PluginCredential credential;
    if (auto read = read_status(*status, credential); !read)
        return read.error();
    return credential;
}

Result<std::string> plugin_information(const ExecPlugin& plugin, const ClusterConfig& cluster)
{
    json spec = {{"interactive", false}};
    if (plugin.provide_cluster_info) {
        const auto ca = read_pem(cluster.ca, "CA");
        if (!ca)
            return ca.error();
        json& told = spec["cluster"] = {{"server", cluster.url()}};
        if (!cluster.tls_server_name.empty())
            told["tls-server-name"] = cluster.tls_server_name;
        if (cluster.skip_tls_verify)
            told["insecure-skip-tls-verify"] = true;
        if (!ca->empty())
            told["certificate-authority-data"] = encode_base64(*ca);
        if (const Proxy* proxy = cluster.proxy.for_server(cluster.host, cluster.port))
            told["proxy-url"] = proxy->url();
        if (!plugin.cluster_config.empty())
            told["config"] = json::parse(plugin.cluster_config, nullptr, false);
    }
    const json document = {{"kind", "ExecCredential"}, {"apiVersion", plugin.api_version}, {"spec", spec}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

ExecCredential::ExecCredential(asio::any_io_executor executor, const ClusterConfig& cluster,
                               std::chrono::milliseconds patience)
    : executor_(std::move(executor)), cluster_(cluster), patience_(patience)
{
}

asio::awaitable<Result<>> ExecCredential::refresh()
{
    const auto expires_by = [&](Clock::time_point when) {
        return current_->expires && *current_->expires <= when;
    };
    if (current_ && !is_rejected_ && !expires_by(Clock::now() + before_expiry))
        co_return Result<>();

    Result<PluginCredential> fresh = co_await run();
    if (!fresh && (!current_ || is_rejected_ || expires_by(Clock::now())))
        co_return fresh.error().within(name_of(*cluster_.exec));
    if (fresh) {
        current_ = std::move(*fresh);
        is_rejected_ = false;
    }
    co_return Result<>();
}

asio::awaitable<Result<PluginCredential>> ExecCredential::run()
{
    const ExecPlugin& plugin = *cluster_.exec;
    const Result<std::string> information = plugin_information(plugin, cluster_);
    if (!information)
        co_return information.error();
    ChildRequest request;
    request.program = plugin.command;
    request.arguments = plugin.arguments;
    request.environment = environment_for(plugin, *information);
    request.patience = patience_;
    Result<ChildEnd> end = co_await run_child(executor_, std::move(request));
    if (!end) {
        Error error = end.error();
        const bool is_missing = error.code == boost::system::errc::no_such_file_or_directory;
        if (is_missing && !plugin.install_hint.empty())
            error.context += " (" + first_words(plugin.install_hint) + ")";
        co_return error;
    }
    if (end->exit_status != 0) {
        const std::string words = first_words(end->errors);
        co_return make_error(boost::system::errc::invalid_argument,
                             "it ended with status " + std::to_string(end->exit_status) +
                                 (words.empty() ? ", and wrote nothing to standard error" : ": " + words));
    }
    co_return decode_plugin_credential(end->output, plugin.api_version);
}

} // namespace routelet::k8s
