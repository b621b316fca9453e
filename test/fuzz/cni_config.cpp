// The plugin's standard input. The first line is CNI_ARGS' wish for an address, the rest the configuration.
#include "cni/config.h"
#include "cni/error.h"
#include "test/fuzz/target.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace {

using namespace routelet;
using namespace routelet::cni;
using fuzz::require;
using nlohmann::json;

void check_range(const AddressRange& range)
{
    require(range.subnet().contains(range.first()) && range.subnet().contains(range.last()) &&
                range.first() <= range.last(),
            "a range lies in its subnet, and its first address is not after its last");
    require(range.subnet().contains(range.gateway()) && !range.offers(range.gateway()) &&
                !range.offers(range.subnet().network()),
            "no pod gets the gateway's address, or the network's own");
    require(range.subnet().family() == IpFamily::v6 || !range.offers(range.subnet().last()),
            "no pod gets the broadcast address");
}

void check_sets(const std::vector<RangeSet>& sets)
{
    require(!sets.empty(), "there are addresses to give");
    for (std::size_t i = 0; i < sets.size(); ++i) {
        for (const AddressRange& range : sets[i].ranges())
            check_range(range);
        for (std::size_t j = 0; j < i; ++j)
            require(!sets[i].overlaps(sets[j]), "no address is in two sets");
        const IpAddress first = sets[i].after(IpAddress{});
        require(sets[i].range_offering(first) != nullptr, "a set offers an address");
        require(sets[i].range_offering(sets[i].after(first)) != nullptr, "and after it another, or the same");
    }
}

void check_pod(const PodNetwork& pod)
{
    check_sets(pod.range_sets);
    require(is_interface_name(pod.bridge), "the bridge has a name that the kernel takes");
    for (std::size_t i = 0; i < pod.routes.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            require(pod.routes[i].destination != pod.routes[j].destination, "no destination has two routes");
    for (const IpAddress& wanted : pod.wanted_addresses)
        require(std::ranges::any_of(pod.range_sets,
                                    [&](const RangeSet& set) { return set.range_offering(wanted); }),
                "an address that is asked for can be given");
    for (const PortMapping& mapping : pod.port_mappings)
        require(mapping.host_port != 0 && mapping.container_port != 0 &&
                    protocol_name(mapping.protocol) != "?",
                "a port that is asked for is one");
    require(pod.dns.empty() || json::accept(pod.dns), "what is handed on is JSON");
    if (pod.previous)
        for (const CniVersion version : supported_versions) {
            const json rendered = json::parse(render_result(*pod.previous, version), nullptr, false);
            require(rendered.is_object() && parse_result(rendered).has_value(),
                    "a previous result is handed on as one that can be read");
        }
}

void check_error(const Error& error, std::string_view input)
{
    const json rendered = json::parse(render_error(error, asked_version(input)), nullptr, false);
    require(rendered.is_object() && rendered["code"].is_number_integer() && rendered["msg"].is_string(),
            "an error is an object with code and message, whatever it quotes");
    require(rendered["code"] == 1 || rendered["code"] == 2 || rendered["code"] == 6 || rendered["code"] == 7,
            "input is to blame for an error of the input");
    require(!rendered["msg"].get<std::string>().empty(), "an error says why");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view input = fuzz::text_of(data, size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    CniArgs args;
    if (end != 0)
        args.address = std::string(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));

    const Result<Config> del = parse_config(input, Verb::del, args);
    for (const Verb verb : {Verb::add, Verb::check, Verb::gc, Verb::status, Verb::del}) {
        const Result<Config> config = parse_config(input, verb, args);
        if (!config) {
            check_error(config.error(), input);
            continue;
        }
        require(del.has_value(), "what one verb understands, DEL does");
        require(config->network.name == del->network.name &&
                    config->network.data_dir == del->network.data_dir &&
                    config->network.import_from == del->network.import_from,
                "DEL looks for a pod where ADD put it");
        require(is_container_id(config->network.name) && config->network.data_dir.is_absolute(),
                "no name leads out of the folder");
        require(config->pod.has_value() == (verb == Verb::add || verb == Verb::check || verb == Verb::status),
                "verbs that need the pod's network have it");
        if (config->pod)
            check_pod(*config->pod);
        require(verb == Verb::gc || !config->valid_attachments, "only GC has a list of what is valid");
    }
    return 0;
}
