#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::lab {

// Who asks, as the token file says.
struct User {
    std::string name;
    std::set<std::string> groups;
};

// A request as handlers see it: decoded, without HTTP or TLS.
struct Request {
    std::string method;                       // GET
    std::string target;                       // as sent: /api/v1/nodes?limit=2
    std::vector<std::string> path;            // {"api", "v1", "nodes"}
    std::map<std::string, std::string> query; // {"limit": "2"}
    std::string accept;
    std::string content_type; // without parameters
    std::string body = {};
    std::optional<User> user; // nobody: no token, or an unknown one

    // A fault of the lab: what is read looks empty (lists, and the initial events of a watch).
    bool sees_nothing = false;

    std::string option(const std::string& name) const; // of the query; "" when it is not there
    bool flag(const std::string& name) const;          // "true" or "1"
};

struct Reply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    std::string retry_after = {}; // header; "" for none

    // What comes behind `body`, piece by piece, until one is empty. Null: nothing.
    std::function<std::string()> more = nullptr;
};

// Splits a target into the path and the query of a Request, percent-decoded.
void set_target(Request& request, std::string target);

} // namespace routelet::lab
