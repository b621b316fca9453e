#include "cni/config.h"

#include "cni/error.h"
#include "cni/json_reader.h"
#include "cni/wishes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace routelet::cni {
namespace {

using nlohmann::json;

constexpr std::uint32_t smallest_mtu = 68;        // RFC 791
constexpr std::uint32_t smallest_ipv6_mtu = 1280; // RFC 8200 section 5
constexpr std::uint32_t largest_mtu = 65535;

Result<CniVersion> parse_version(const json& document, Verb verb)
{
    const Result<std::optional<std::string>> text = read_string(document, "cniVersion");
    if (!text)
        return text.error();
    const std::string asked = text->value_or("0.1.0"); // what an absent cniVersion stands for
    const std::optional<CniVersion> version = parse_cni_version(asked);
    if (!version)
        return failure(ErrorCode::incompatible_version,
                       "cniVersion is \"" + asked + "\"; supported are 0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0");

    const CniVersion oldest = verb == Verb::check                        ? CniVersion::v0_4_0
                              : verb == Verb::gc || verb == Verb::status ? CniVersion::v1_1_0
                                                                         : CniVersion::v0_3_0;
    if (*version < oldest)
        return failure(ErrorCode::incompatible_version, "cniVersion is \"" + asked +
                                                            "\", which does not have this command yet; it "
                                                            "came with " +
                                                            std::string(to_string(oldest)));
    return *version;
}

// An absolute path; absent and empty leave `into` as it is.
Result<> read_path(const json& object, const char* key, std::filesystem::path& into)
{
    const Result<std::optional<std::string>> path = read_string(object, key);
    if (!path)
        return path.error();
    if (path->value_or("").empty())
        return {};
    if (std::filesystem::path(**path).is_relative())
        return invalid_config("\"" + std::string(key) + "\" is \"" + **path +
                              "\", which is not an absolute path");
    into = **path;
    return {};
}

Result<LogSettings> parse_log(const json& document)
{
    LogSettings log;
    if (auto read = read_path(document, "logFile", log.file); !read)
        return read.error();
    const Result<std::optional<std::string>> level = read_string(document, "logLevel");
    if (!level)
        return level.error();
    if (level->value_or("").empty())
        return log;
    for (const LogLevel known : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error})
        if (to_string(known) == **level) {
            log.level = known;
            return log;
        }
    return invalid_config("\"logLevel\" is \"" + **level + "\"; it has to be debug, info, warn or error");
}

Result<Network> parse_network(const json& document, Verb verb)
{
    const Result<CniVersion> version = parse_version(document, verb);
    if (!version)
        return version.error();
    Result<std::optional<std::string>> name = read_string(document, "name");
    if (!name)
        return name.error();
    if (!name->has_value())
        return invalid_config("\"name\" is missing");
    if (!is_container_id(**name)) // the specification has one rule for both
        return invalid_config(
            "\"name\" is \"" + (*name)->substr(0, 64) +
            "\"; it has to start with a letter or digit and go on with letters, digits, '_', '.' "
            "or '-'");

    Network network{*version, std::move(**name)};
    if (auto read = read_path(document, "hostPortDir", network.host_port_dir); !read)
        return read.error();
    const Result<const json*> ipam = read_object(document, "ipam");
    if (!ipam)
        return ipam.error();
    if (*ipam == nullptr)
        return network;
    if (auto read = read_path(**ipam, "dataDir", network.data_dir); !read)
        return read.error();
    if (auto read = read_path(**ipam, "importFrom", network.import_from); !read)
        return read.error();
    return network;
}

// Known keys whose value asks for something that we do not do. Silence would break the user's intention.
Result<> refuse_unsupported(const json& document)
{
    struct Unsupported {
        const char* key;
        json value;
        const char* instead = "";
    };
    const std::array unsupported = {
        Unsupported{"ipMasq", true},
        Unsupported{"promiscMode", true},
        Unsupported{"isGateway", false},
        Unsupported{"forceAddress", true},
        Unsupported{"macspoofchk", true, "; there is \"spoofCheck\", for MAC and IP addresses"},
        Unsupported{"portIsolation", true},
        Unsupported{"disableContainerInterface", true}};
    for (const auto& [key, value, instead] : unsupported) {
        const auto found = document.find(key);
        if (found != document.end() && *found == value)
            return failure(ErrorCode::unsupported_field,
                           std::string("\"") + key + "\": " + value.dump() + " is not supported" + instead);
    }
    for (const char* key : {"vlan", "vlanTrunk"}) {
        const auto found = document.find(key);
        if (found != document.end() && !found->is_null() && *found != 0)
            return failure(ErrorCode::unsupported_field,
                           std::string("\"") + key + "\": " + found->dump() + " is not supported");
    }
    return {};
}

Result<> refuse_unsupported_text(const json& object, const char* key, std::string_view only)
{
    const Result<std::optional<std::string>> text = read_string(object, key);
    if (!text)
        return text.error();
    if (text->has_value() && **text != only)
        return failure(ErrorCode::unsupported_field, std::string("\"") + key + "\": \"" + **text +
                                                         "\" is not supported; the only one is \"" +
                                                         std::string(only) + "\"");
    return {};
}

Result<AddressRange> parse_range(const json& object)
{
    if (!object.is_object())
        return invalid_config("\"ranges\" has an entry that is not an object");
    const Result<std::optional<std::string>> text = read_string(object, "subnet");
    if (!text)
        return text.error();
    if (!text->has_value())
        return invalid_config("\"ipam\": a range has no \"subnet\"");
    const Result<IpPrefix> subnet = IpPrefix::parse(**text);
    if (!subnet)
        return invalid_config("\"subnet\" is \"" + **text +
                              "\", which is not a network (host bits have to be zero)");

    AddressRange::Bounds bounds;
    for (const auto& [key, into] :
         {std::pair{"rangeStart", &bounds.first}, std::pair{"rangeEnd", &bounds.last},
          std::pair{"gateway", &bounds.gateway}}) {
        Result<std::optional<IpAddress>> address = read_address(object, key);
        if (!address)
            return address.error();
        *into = *address;
    }
    return AddressRange::make(*subnet, bounds);
}

Result<RangeSet> parse_range_set(const json& list)
{
    if (!list.is_array())
        return invalid_config("\"ranges\" has an entry that is not a list of ranges");
    std::vector<AddressRange> ranges;
    for (const json& object : list) {
        const Result<AddressRange> range = parse_range(object);
        if (!range)
            return range.error();
        ranges.push_back(*range);
    }
    return RangeSet::make(std::move(ranges));
}

// First the capability "ipRanges", then "ranges"; "subnet" beside it stands for a set of its own, the first.
Result<std::vector<RangeSet>> parse_range_sets(const json& document, const json& ipam)
{
    json lists = json::array();
    const Result<const json*> runtime = read_object(document, "runtimeConfig");
    if (!runtime)
        return runtime.error();
    const Result<const json*> asked =
        *runtime == nullptr ? Result<const json*>(nullptr) : read_array(**runtime, "ipRanges");
    if (!asked)
        return asked.error();
    if (*asked != nullptr)
        lists = **asked;
    if (ipam.contains("subnet") && !ipam["subnet"].is_null())
        lists.push_back(json::array({ipam}));
    const Result<const json*> listed = read_array(ipam, "ranges");
    if (!listed)
        return listed.error();
    if (*listed != nullptr)
        lists.insert(lists.end(), (*listed)->begin(), (*listed)->end());
    if (lists.empty())
        return invalid_config("\"ipam\" has neither \"ranges\" nor \"subnet\"");

    std::vector<RangeSet> sets;
    for (const json& list : lists) {
        Result<RangeSet> set = parse_range_set(list);
        if (!set)
            return set.error();
        for (const RangeSet& other : sets)
            if (other.overlaps(*set))
                return invalid_config("ipam: ranges " + other.to_string() + " and " + set->to_string() +
                                      " overlap");
        sets.push_back(std::move(*set));
    }
    return sets;
}

const RangeSet* first_set(const std::vector<RangeSet>& sets, IpFamily family)
{
    const auto found = std::ranges::find(sets, family, &RangeSet::family);
    return found == sets.end() ? nullptr : &*found;
}

bool is_subnet(const std::vector<RangeSet>& sets, const IpPrefix& network)
{
    return std::ranges::any_of(sets, [&network](const RangeSet& set) {
        return std::ranges::find(set.ranges(), network, &AddressRange::subnet) != set.ranges().end();
    });
}

Result<ResultRoute> parse_route(const json& object, const std::vector<RangeSet>& sets)
{
    if (!object.is_object())
        return invalid_config("\"routes\" has an entry that is not an object");
    const Result<std::optional<std::string>> text = read_string(object, "dst");
    if (!text)
        return text.error();
    const Result<IpPrefix> destination = IpPrefix::parse(text->value_or(""));
    if (!destination)
        return invalid_config("\"dst\" is \"" + text->value_or("") + "\", which is not a network");
    Result<std::optional<IpAddress>> gateway = read_address(object, "gw");
    if (!gateway)
        return gateway.error();

    const RangeSet* set = first_set(sets, destination->family());
    if (set == nullptr)
        return invalid_config("\"routes\" has " + destination->to_string() +
                              ", but no range has addresses of that family");
    if (gateway->has_value() && (*gateway)->family() != destination->family())
        return invalid_config("\"gw\" " + (*gateway)->to_string() + " is not of the family of " +
                              destination->to_string());
    for (const char* key : {"mtu", "advmss", "priority", "table", "scope"})
        if (object.contains(key) && !object[key].is_null())
            return failure(ErrorCode::unsupported_field, std::string("\"routes\": \"") + key + "\": " +
                                                             object[key].dump() + " is not supported");
    return ResultRoute{*destination, gateway->value_or(set->ranges().front().gateway())};
}

// The routes of the configuration, and a default route for each family that has none yet, if so configured.
Result<std::vector<ResultRoute>> parse_routes(const json& document, const json& ipam,
                                              const std::vector<RangeSet>& sets)
{
    std::vector<ResultRoute> routes;
    const Result<const json*> listed = read_array(ipam, "routes");
    if (!listed)
        return listed.error();
    for (const json& object : *listed == nullptr ? json::array() : **listed) {
        const Result<ResultRoute> route = parse_route(object, sets);
        if (!route)
            return route.error();
        if (std::ranges::find(routes, *route) != routes.end())
            continue;
        if (std::ranges::find(routes, route->destination, &ResultRoute::destination) != routes.end())
            return invalid_config("\"routes\" has " + route->destination.to_string() +
                                  " twice, by two gateways");
        if (is_subnet(sets, route->destination))
            return invalid_config("\"routes\" has " + route->destination.to_string() +
                                  ", which is a range's own subnet: pods reach it without a route");
        routes.push_back(*route);
    }

    const Result<std::optional<bool>> is_default = read_bool(document, "isDefaultGateway");
    if (!is_default)
        return is_default.error();
    if (!is_default->value_or(true))
        return routes;
    for (const RangeSet& set : sets) {
        const IpPrefix everything = IpPrefix::of(set.ranges().front().gateway(), 0);
        if (std::ranges::find(routes, everything, &ResultRoute::destination) == routes.end())
            routes.push_back({everything, set.ranges().front().gateway()});
    }
    return routes;
}

Result<std::uint32_t> parse_mtu(const json& document, const std::vector<RangeSet>& sets)
{
    const Result<std::optional<std::int64_t>> mtu = read_integer(document, "mtu");
    if (!mtu)
        return mtu.error();
    const std::int64_t value = mtu->value_or(0);
    if (value == 0)
        return std::uint32_t{0};
    const std::uint32_t smallest =
        first_set(sets, IpFamily::v6) != nullptr ? smallest_ipv6_mtu : smallest_mtu;
    if (value < smallest || value > largest_mtu)
        return invalid_config("\"mtu\" is " + std::to_string(value) + "; it has to be " +
                              std::to_string(smallest) + " to " + std::to_string(largest_mtu));
    return static_cast<std::uint32_t>(value);
}

Result<> parse_mode(const json& document, PodNetwork& pod)
{
    const Result<std::optional<std::string>> mode = read_string(document, "mode");
    if (!mode)
        return mode.error();
    const std::string text = mode->value_or("");
    if (text == "ptp")
        pod.mode = Mode::ptp;
    else if (!text.empty() && text != "bridge")
        return failure(ErrorCode::unsupported_field,
                       "\"mode\": \"" + text + "\" is not supported; there are \"bridge\" and \"ptp\"");
    return {};
}

Result<> parse_bridge(const json& document, PodNetwork& pod)
{
    Result<std::optional<std::string>> bridge = read_string(document, "bridge");
    if (!bridge)
        return bridge.error();
    if (bridge->has_value() && !(*bridge)->empty())
        pod.bridge = **bridge;
    if (!is_interface_name(pod.bridge))
        return invalid_config("\"bridge\" is \"" + pod.bridge.substr(0, 64) +
                              "\", which does not name an interface");

    const Result<std::optional<bool>> hairpin = read_bool(document, "hairpinMode");
    if (!hairpin)
        return hairpin.error();
    pod.hairpin = hairpin->value_or(true);
    return {};
}

Result<> parse_ipam(const json& document, PodNetwork& pod)
{
    const Result<const json*> ipam = read_object(document, "ipam");
    if (!ipam)
        return ipam.error();
    if (*ipam == nullptr)
        return invalid_config("\"ipam\" is missing");
    if (auto supported = refuse_unsupported_text(**ipam, "type", "host-local"); !supported)
        return supported;

    const Result<std::optional<std::string>> resolv_conf = read_string(**ipam, "resolvConf");
    if (!resolv_conf)
        return resolv_conf.error();
    if (!resolv_conf->value_or("").empty())
        return failure(ErrorCode::unsupported_field,
                       "\"resolvConf\": \"" + **resolv_conf + "\" is not supported; use \"dns\"");

    Result<std::vector<RangeSet>> sets = parse_range_sets(document, **ipam);
    if (!sets)
        return sets.error();
    pod.range_sets = std::move(*sets);
    const Result<std::optional<std::int64_t>> cooldown = read_integer(**ipam, "cooldown");
    if (!cooldown)
        return cooldown.error();
    pod.cooldown = std::chrono::seconds(cooldown->value_or(pod.cooldown.count()));
    if (pod.cooldown < std::chrono::seconds(0) || pod.cooldown > std::chrono::hours(24))
        return invalid_config("\"cooldown\" is " + std::to_string(pod.cooldown.count()) +
                              "; it has to be 0 to 86400 seconds");
    Result<std::vector<ResultRoute>> routes = parse_routes(document, **ipam, pod.range_sets);
    if (!routes)
        return routes.error();
    pod.routes = std::move(*routes);
    return {};
}

Result<> parse_extras(const json& document, PodNetwork& pod)
{
    const Result<std::uint32_t> mtu = parse_mtu(document, pod.range_sets);
    if (!mtu)
        return mtu.error();
    pod.mtu = *mtu;

    const Result<std::optional<bool>> spoof_check = read_bool(document, "spoofCheck");
    if (!spoof_check)
        return spoof_check.error();
    pod.spoof_check = spoof_check->value_or(false);

    const Result<const json*> dns = read_object(document, "dns");
    if (!dns)
        return dns.error();
    if (*dns != nullptr && !(*dns)->empty())
        pod.dns = (*dns)->dump();

    const Result<const json*> previous = read_object(document, "prevResult");
    if (!previous)
        return previous.error();
    if (*previous == nullptr)
        return {};
    Result<AttachmentResult> result = parse_result(**previous);
    if (!result)
        return result.error();
    pod.previous = std::move(*result);
    return {};
}

Result<PodNetwork> parse_pod_network(const json& document, const CniArgs& args)
{
    PodNetwork pod;
    if (auto supported = refuse_unsupported(document); !supported)
        return supported.error();
    if (auto parsed = parse_mode(document, pod); !parsed)
        return parsed.error();
    if (auto parsed = parse_bridge(document, pod); !parsed)
        return parsed.error();
    if (auto parsed = parse_ipam(document, pod); !parsed)
        return parsed.error();
    if (auto parsed = parse_wishes(document, args, pod); !parsed)
        return parsed.error();
    if (auto parsed = parse_port_mappings(document, pod); !parsed)
        return parsed.error();
    if (auto parsed = parse_extras(document, pod); !parsed)
        return parsed.error();
    if (auto read = read_path(document, "agentState", pod.agent_state); !read)
        return read.error();
    return pod;
}

// An absent list says nothing; an empty one, and null, which some runtimes send for it, say "none".
Result<std::optional<std::vector<AttachmentId>>> parse_valid_attachments(const json& document)
{
    constexpr const char* key = "cni.dev/valid-attachments";
    const auto found = document.find(key);
    if (found == document.end())
        return std::optional<std::vector<AttachmentId>>{};
    std::vector<AttachmentId> valid;
    if (!found->is_null() && !found->is_array())
        return invalid_config(std::string("\"") + key + "\" is not a list");
    for (const json& object : found->is_null() ? json::array() : *found) {
        if (!object.is_object())
            return invalid_config(std::string("\"") + key + "\" has an entry that is not an object");
        Result<std::optional<std::string>> container = read_string(object, "containerID");
        if (!container)
            return container.error();
        Result<std::optional<std::string>> interface = read_string(object, "ifname");
        if (!interface)
            return interface.error();
        // An entry that is not understood must not make its pod look stale.
        if (container->value_or("").empty() || interface->value_or("").empty())
            return invalid_config(std::string("\"") + key + "\" has an entry without \"" +
                                  (container->value_or("").empty() ? "containerID" : "ifname") + "\"");
        valid.push_back({std::move(**container), std::move(**interface)});
    }
    return std::optional(std::move(valid));
}

} // namespace

Result<Config> parse_config(std::string_view text, Verb verb, const CniArgs& args)
{
    const Result<json> document = parse_object(text);
    if (!document)
        return document.error();
    Result<Network> network = parse_network(*document, verb);
    if (!network)
        return network.error();

    Config config{std::move(*network), {}, {}};
    if (verb == Verb::gc) {
        Result<std::optional<std::vector<AttachmentId>>> valid = parse_valid_attachments(*document);
        if (!valid)
            return valid.error();
        config.valid_attachments = std::move(*valid);
    }
    const Result<LogSettings> log = parse_log(*document);
    if (log)
        config.network.log = *log;
    if (verb == Verb::add || verb == Verb::check || verb == Verb::status) {
        if (!log)
            return log.error();
        Result<PodNetwork> pod = parse_pod_network(*document, args);
        if (!pod)
            return pod.error();
        config.pod = std::move(*pod);
    }
    return config;
}

LogSettings asked_log(std::string_view text)
{
    const Result<json> document = parse_object(text);
    const Result<LogSettings> log = document ? parse_log(*document) : Result<LogSettings>(document.error());
    return log ? *log : LogSettings{};
}

std::string asked_version(std::string_view text)
{
    const Result<json> document = parse_object(text);
    if (!document)
        return {};
    const Result<std::optional<std::string>> version = read_string(*document, "cniVersion");
    return version ? version->value_or("") : std::string{};
}

} // namespace routelet::cni
