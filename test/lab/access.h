#pragma once
#include "test/lab/request.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::lab {

// The token file, in the format of kube-apiserver's --token-auth-file: token,user,uid,"group,group". Read
// again for every request, so that tokens can be added and revoked while the server runs.
std::optional<User> find_user(const std::filesystem::path& tokens, std::string_view token);

// What is done to what, in the words of RBAC.
struct Action {
    std::string verb;     // "list"
    std::string resource; // "nodes", "nodes/status"; "" for paths that are no resource
    std::string name;     // "" for a whole collection
    std::string space;    // namespace, "" for cluster-wide
};

// system:masters may do everything; routelet:agents what the agent's ClusterRole says (nodes get, list,
// watch; events create, patch); routelet:status-writers may also patch nodes/status. Anyone known may ask for
// health and discovery.
bool may(const User& user, const Action& action);

// Throws Refusal 403, in the words of kube-apiserver, when `user` may not.
void require(const User& user, const Action& action);

} // namespace routelet::lab
