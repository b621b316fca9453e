#include "cni/environment.h"

#include "base/join.h"
#include "cni/error.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

namespace routelet::cni {
namespace {

// The longest that leaves room for ":" and an interface name in a file name (NAME_MAX, 255 bytes) and in an
// interface alias.
constexpr std::size_t container_id_limit = 239;
constexpr std::size_t interface_name_limit = 15; // IFNAMSIZ, less its terminating zero

bool is_alphanumeric(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Error invalid(std::string what)
{
    return failure(ErrorCode::invalid_environment, std::move(what));
}

Result<Verb> parse_verb(const std::string& text)
{
    static const std::map<std::string, Verb> verbs = {{"ADD", Verb::add},       {"DEL", Verb::del},
                                                      {"CHECK", Verb::check},   {"GC", Verb::gc},
                                                      {"STATUS", Verb::status}, {"VERSION", Verb::version}};
    const auto found = verbs.find(text);
    if (found == verbs.end())
        return invalid("CNI_COMMAND is \"" + text +
                       "\"; it has to be one of ADD, DEL, CHECK, GC, STATUS, VERSION");
    return found->second;
}

Result<> check_presence(Verb verb, const AttachmentId& id, const std::string& netns)
{
    std::string missing;
    const auto need = [&missing](const char* name, const std::string& value) {
        if (value.empty())
            append_item(missing, name, ",");
    };
    need("CNI_CONTAINERID", id.container);
    need("CNI_IFNAME", id.interface);
    if (verb != Verb::del)
        need("CNI_NETNS", netns);
    if (!missing.empty())
        return invalid("required environment variables [" + missing + "] are missing");
    return {};
}

Result<> check_values(const AttachmentId& id)
{
    if (!is_container_id(id.container))
        return invalid("CNI_CONTAINERID is \"" + id.container.substr(0, 64) +
                       "\"; it has to start with a letter or digit, go on with letters, digits, '_', '.' or "
                       "'-', and be at most " +
                       std::to_string(container_id_limit) + " bytes long");
    if (!is_interface_name(id.interface))
        return invalid("CNI_IFNAME is \"" + id.interface.substr(0, 64) +
                       "\"; it has to be 1 to 15 bytes that name an interface: no spaces, none of / : %, not "
                       "\".\", \"..\", \"lo\", \"all\" or \"default\"");
    return {};
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return parts;
}

// As Kubernetes has them (RFC 1123 subdomains): it goes into files and messages.
bool is_name(std::string_view text)
{
    constexpr std::size_t longest = 253;
    return !text.empty() && text.size() <= longest && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

// "K=V;K2=V2" (CNI CONVENTIONS, "CNI_ARGS"). An unknown key is an error unless IgnoreUnknown says otherwise.
Result<CniArgs> parse_args(const std::string& text)
{
    constexpr std::array known = {"IgnoreUnknown",
                                  "IP",
                                  "MAC",
                                  "K8S_POD_NAMESPACE",
                                  "K8S_POD_NAME",
                                  "K8S_POD_UID",
                                  "K8S_POD_INFRA_CONTAINER_ID"};
    std::map<std::string, std::string, std::less<>> pairs;
    for (const std::string_view pair : split(text, ';')) {
        const std::size_t equals = pair.find('=');
        if (equals == 0 || equals == std::string_view::npos ||
            pair.find('=', equals + 1) != std::string_view::npos)
            return invalid("CNI_ARGS has \"" + std::string(pair) + "\", which is not KEY=VALUE");
        pairs.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }

    const auto ignore = pairs.find("IgnoreUnknown");
    const bool ignores_unknown =
        ignore != pairs.end() &&
        (ignore->second == "1" || ignore->second == "true" || ignore->second == "True");
    for (const auto& [key, value] : pairs) {
        const bool is_known =
            std::ranges::any_of(known, [&key = key](const char* name) { return key == name; });
        if (!is_known && !ignores_unknown)
            return invalid("CNI_ARGS has the unknown key \"" + key + "\" and no IgnoreUnknown=1");
    }

    CniArgs args;
    if (const auto ip = pairs.find("IP"); ip != pairs.end() && !ip->second.empty())
        args.address = ip->second;
    if (const auto mac = pairs.find("MAC"); mac != pairs.end() && !mac->second.empty())
        args.mac = mac->second;
    if (const auto name = pairs.find("K8S_POD_NAME"); name != pairs.end() && is_name(name->second))
        args.pod = is_name(pairs["K8S_POD_NAMESPACE"]) ? pairs["K8S_POD_NAMESPACE"] + "/" + name->second
                                                       : name->second;
    return args;
}

} // namespace

bool is_container_id(std::string_view text) noexcept
{
    const auto is_allowed = [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; };
    return !text.empty() && text.size() <= container_id_limit && is_alphanumeric(text.front()) &&
           std::ranges::all_of(text, is_allowed);
}

bool is_interface_name(std::string_view text) noexcept
{
    // '%' would be a template to the kernel ("eth%d"); "all" and "default" are not interfaces in
    // /proc/sys/net.
    const auto is_allowed = [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '%'; };
    constexpr std::array reserved = {".", "..", "lo", "all", "default"};
    return !text.empty() && text.size() <= interface_name_limit && std::ranges::all_of(text, is_allowed) &&
           std::ranges::none_of(reserved, [text](const char* name) { return text == name; });
}

Result<Environment> read_environment(const Variables& variable)
{
    const Result<Verb> verb = parse_verb(variable("CNI_COMMAND"));
    if (!verb)
        return verb.error();

    Environment environment;
    environment.verb = *verb;
    if (*verb != Verb::add && *verb != Verb::del && *verb != Verb::check)
        return environment;

    environment.id = {variable("CNI_CONTAINERID"), variable("CNI_IFNAME")};
    environment.netns = variable("CNI_NETNS");
    environment.plugins = variable("CNI_PATH");
    if (auto present = check_presence(*verb, environment.id, environment.netns); !present)
        return present.error();
    if (auto valid = check_values(environment.id); !valid)
        return valid.error();

    if (*verb == Verb::del)
        return environment;
    Result<CniArgs> args = parse_args(variable("CNI_ARGS"));
    if (!args)
        return args.error();
    environment.args = std::move(*args);
    return environment;
}

} // namespace routelet::cni
