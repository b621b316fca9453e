#include "test/lab/lab.h"

#include "test/lab/refusal.h"

namespace routelet::lab {
namespace {

Json described(const std::vector<RequestRecord>& requests)
{
    Json all = Json::array();
    for (const auto& request : requests)
        all.push_back({{"method", request.method},
                       {"target", request.target},
                       {"status", request.status},
                       {"user", request.user}});
    return all;
}

void add_faults(Lab& lab, const std::string& body)
{
    const Json faults = Json::parse(body, nullptr, false);
    if (!faults.is_array()) {
        lab.faults.add(fault_from_json(faults));
        return;
    }
    for (const Json& fault : faults)
        lab.faults.add(fault_from_json(fault));
}

Reply answer(Lab& lab, const Request& request)
{
    const std::string& path = request.path.at(1);
    if (path == "requests" && request.method == "GET")
        return json_reply(described(lab.requests));
    if (path == "compact" && request.method == "POST") {
        lab.store.compact();
        lab.on_change();
        return json_reply({{"forgotten", lab.store.forgotten()}});
    }
    if (path != "faults")
        throw path_not_found();
    if (request.method == "POST")
        add_faults(lab, request.body);
    else if (request.method == "DELETE")
        lab.faults.clear();
    else if (request.method != "GET")
        throw Refusal(405, "MethodNotAllowed", "faults know GET, POST and DELETE");
    return json_reply(lab.faults.described());
}

} // namespace

std::optional<Reply> answer_lab(Lab& lab, const Request& request)
{
    if (request.path.size() != 2 || request.path[0] != "lab")
        return std::nullopt;
    try {
        if (!request.user)
            throw unauthorized();
        if (!request.user->groups.contains("system:masters"))
            throw Refusal(403, "Forbidden", "the lab is for administrators");
        return answer(lab, request);
    } catch (const Refusal& refusal) {
        return refusal_reply(refusal, Form::json);
    }
}

} // namespace routelet::lab
