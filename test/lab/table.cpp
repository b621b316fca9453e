#include "test/lab/table.h"

#include "base/join.h"
#include "test/lab/time.h"

namespace routelet::lab {
namespace {

using Clock = std::chrono::system_clock;

Json column(const char* name, int priority = 0)
{
    return {{"name", name},
            {"type", "string"},
            {"format", std::string_view(name) == "Name" ? "name" : ""},
            {"description", ""},
            {"priority", priority}}; // above 0: only with -o wide
}

std::string or_else(std::string text, const char* otherwise)
{
    return text.empty() ? otherwise : std::move(text);
}

std::string age(const std::string& since, Clock::time_point now)
{
    const auto start = time_of(since);
    return start ? human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *start))
                 : "<unknown>";
}

std::string node_status(const Json& node)
{
    std::string status = "Unknown";
    for (const Json& condition : list_at(node, {"status", "conditions"}))
        if (text_at(condition, {"type"}) == "Ready")
            status = text_at(condition, {"status"}) == "True" ? "Ready" : "NotReady";
    return at_path(node, {"spec", "unschedulable"}) == true ? status + ",SchedulingDisabled" : status;
}

std::string node_roles(const Json& node)
{
    constexpr std::string_view prefix = "node-role.kubernetes.io/";
    std::string roles;
    for (const auto& [label, value] : list_at(node, {"metadata", "labels"}).items()) {
        std::string role;
        if (label.starts_with(prefix))
            role = label.substr(prefix.size());
        else if (label == "kubernetes.io/role" && value.is_string())
            role = value.get<std::string>();
        if (!role.empty())
            append_item(roles, role, ",");
    }
    return or_else(roles, "<none>");
}

std::string node_address(const Json& node, std::string_view type)
{
    for (const Json& address : list_at(node, {"status", "addresses"}))
        if (text_at(address, {"type"}) == type)
            return or_else(text_at(address, {"address"}), "<none>");
    return "<none>";
}

Json node_columns()
{
    return Json::array({column("Name"), column("Status"), column("Roles"), column("Age"), column("Version"),
                        column("Internal-IP", 1), column("External-IP", 1), column("OS-Image", 1),
                        column("Kernel-Version", 1), column("Container-Runtime", 1)});
}

Json node_cells(const Json& node, Clock::time_point now)
{
    const auto info = [&](std::string_view name) { return text_at(node, {"status", "nodeInfo", name}); };
    return Json::array({text_at(node, {"metadata", "name"}), node_status(node), node_roles(node),
                        age(text_at(node, {"metadata", "creationTimestamp"}), now), info("kubeletVersion"),
                        node_address(node, "InternalIP"), node_address(node, "ExternalIP"),
                        or_else(info("osImage"), "<unknown>"), or_else(info("kernelVersion"), "<unknown>"),
                        or_else(info("containerRuntimeVersion"), "<unknown>")});
}

Json event_columns()
{
    return Json::array({column("Last Seen"), column("Type"), column("Reason"), column("Object"),
                        column("Message"), column("Name", 1)});
}

Json event_cells(const Json& event, Clock::time_point now)
{
    const std::string seen =
        or_else(text_at(event, {"lastTimestamp"}), text_at(event, {"eventTime"}).c_str());
    std::string object = text_at(event, {"involvedObject", "kind"});
    for (char& letter : object)
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return Json::array({age(seen, now), text_at(event, {"type"}), text_at(event, {"reason"}),
                        object + "/" + text_at(event, {"involvedObject", "name"}),
                        text_at(event, {"message"}), text_at(event, {"metadata", "name"})});
}

Json plain_columns()
{
    return Json::array({column("Name"), column("Age")});
}

Json plain_cells(const Json& object, Clock::time_point now)
{
    return Json::array({text_at(object, {"metadata", "name"}),
                        age(text_at(object, {"metadata", "creationTimestamp"}), now)});
}

struct Printer {
    Json (*columns)();
    Json (*cells)(const Json& object, Clock::time_point now);
};

Printer printer_of(const std::string& kind)
{
    if (kind == "Node")
        return {node_columns, node_cells};
    if (kind == "Event")
        return {event_columns, event_cells};
    return {plain_columns, plain_cells};
}

Json row(Json cells, const Json& object)
{
    return {{"cells", std::move(cells)},
            {"object",
             {{"kind", "PartialObjectMetadata"},
              {"apiVersion", "meta.k8s.io/v1"},
              {"metadata", at_path(object, {"metadata"})}}}};
}

} // namespace

Json table(const std::string& kind, const std::vector<const Json*>& objects, Clock::time_point now)
{
    const Printer printer = printer_of(kind);
    Json rows = Json::array();
    for (const Json* object : objects)
        rows.push_back(row(printer.cells(*object, now), *object));
    return {{"kind", "Table"},
            {"apiVersion", "meta.k8s.io/v1"},
            {"metadata", Json::object()},
            {"columnDefinitions", printer.columns()},
            {"rows", std::move(rows)}};
}

std::string human_duration(std::chrono::seconds age)
{
    const long seconds = age.count();
    const long minutes = seconds / 60;
    const long hours = minutes / 60;
    const long days = hours / 24;
    const auto pair = [](long big, const char* unit, long small, const char* small_unit) {
        return std::to_string(big) + unit + (small == 0 ? "" : std::to_string(small) + small_unit);
    };
    if (seconds < 0)
        return seconds < -1 ? "<invalid>" : "0s";
    if (seconds < 120)
        return std::to_string(seconds) + "s";
    if (minutes < 10)
        return pair(minutes, "m", seconds % 60, "s");
    if (hours < 3)
        return std::to_string(minutes) + "m";
    if (hours < 8)
        return pair(hours, "h", minutes % 60, "m");
    if (hours < 48)
        return std::to_string(hours) + "h";
    if (days < 8)
        return pair(days, "d", hours % 24, "h");
    if (days < 2 * 365)
        return std::to_string(days) + "d";
    return days < 8 * 365 ? pair(days / 365, "y", days % 365, "d") : std::to_string(days / 365) + "y";
}

} // namespace routelet::lab
