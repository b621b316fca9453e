#include "test/lab/access.h"

#include "base/file.h"
#include "test/lab/refusal.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace routelet::lab {
namespace {

struct Rule {
    std::string_view group;
    std::string_view resource;
    std::string_view verb;
};

constexpr Rule rules[] = {
    {"routelet:agents", "nodes", "get"},    {"routelet:agents", "nodes", "list"},
    {"routelet:agents", "nodes", "watch"},  {"routelet:agents", "events", "create"},
    {"routelet:agents", "events", "patch"}, {"routelet:status-writers", "nodes/status", "patch"},
};

// "a,b,\"c,d\"" -> a | b | c,d
std::vector<std::string> fields_of(const std::string& line)
{
    std::vector<std::string> fields;
    std::string field;
    bool quoted = false;
    for (const char letter : line) {
        if (letter == '"')
            quoted = !quoted;
        else if (letter == ',' && !quoted)
            fields.push_back(std::exchange(field, {}));
        else
            field += letter;
    }
    fields.push_back(field);
    return fields;
}

std::set<std::string> groups_of(const std::string& field)
{
    std::set<std::string> groups{"system:authenticated"};
    std::istringstream text(field);
    for (std::string group; std::getline(text, group, ',');)
        groups.insert(group);
    return groups;
}

} // namespace

std::optional<User> find_user(const std::filesystem::path& tokens, std::string_view token)
{
    const auto content = read_file(tokens);
    if (!content || token.empty())
        return std::nullopt;
    std::istringstream lines(*content);
    for (std::string line; std::getline(lines, line);) {
        const auto fields = fields_of(line);
        if (fields.size() < 3 || fields[0] != token)
            continue;
        return User{.name = fields[1], .groups = groups_of(fields.size() > 3 ? fields[3] : "")};
    }
    return std::nullopt;
}

bool may(const User& user, const Action& action)
{
    if (user.groups.contains("system:masters") || (action.resource.empty() && action.verb == "get"))
        return true;
    return std::ranges::any_of(rules, [&](const Rule& rule) {
        return user.groups.contains(std::string(rule.group)) && rule.resource == action.resource &&
               rule.verb == action.verb;
    });
}

void require(const User& user, const Action& action)
{
    if (may(user, action))
        return;
    const std::string resource = action.resource.substr(0, action.resource.find('/'));
    const std::string what = action.name.empty() ? resource : resource + " \"" + action.name + "\"";
    const std::string where =
        action.space.empty() ? " at the cluster scope" : " in the namespace \"" + action.space + "\"";
    throw Refusal(403, "Forbidden",
                  what + " is forbidden: User \"" + user.name + "\" cannot " + action.verb + " resource \"" +
                      action.resource + "\" in API group \"\"" + where,
                  {{"name", action.name}, {"kind", resource}});
}

} // namespace routelet::lab
