#include "controller/plan_command.h"

#include "controller/kernel_mirror.h"
#include "controller/node_table.h"
#include "controller/plan_report.h"
#include "k8sclient/node_decoder.h"

#include <array>
#include <cstring>
#include <fstream>
#include <istream>
#include <ostream>

namespace routelet::controller {
namespace {

constexpr int is_planned = 0;
constexpr int has_failed = 1;

Error not_of_kubectl(const Error& error)
{
    return make_error(boost::system::errc::bad_message,
                      "the Nodes are not what `kubectl get nodes -o json` prints: " + error.text());
}

// Piece by piece: of large clusters this is a hundred megabytes.
Result<> read_nodes(std::istream& in, NodeTable& table)
{
    auto decoder = k8s::NodeListDecoder::for_kubectl();
    table.begin_list();
    std::array<char, 1U << 16U> piece{};
    while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
        const auto size = static_cast<std::size_t>(in.gcount());
        if (auto fed = decoder.feed({piece.data(), size}); !fed)
            return not_of_kubectl(fed.error());
        for (const k8s::Node& node : decoder.take_nodes())
            table.list(node);
    }
    const auto list = decoder.finish();
    if (!list)
        return not_of_kubectl(list.error());
    for (const k8s::Node& node : list->nodes)
        table.list(node);
    (void)table.end_list();
    return {};
}

Result<> read_nodes(const std::filesystem::path& file, std::istream& in, NodeTable& table)
{
    if (file == "-")
        return read_nodes(in, table);
    std::ifstream nodes(file);
    if (!nodes)
        return last_errno("reading " + file.string());
    return read_nodes(nodes, table);
}

Result<KernelState> read_kernel()
{
    Result<NetlinkKernel> kernel = NetlinkKernel::open();
    return kernel ? kernel->read() : kernel.error();
}

} // namespace

int show_plan(const PlanCommandOptions& options, std::istream& in, std::ostream& out, std::ostream& errors)
{
    NodeTable nodes;
    if (const auto read = read_nodes(options.nodes, in, nodes); !read) {
        errors << "routelet: " << read.error() << "\n";
        return has_failed;
    }
    const auto state = read_kernel();
    if (!state) {
        errors << "routelet: " << state.error() << "\n";
        return has_failed;
    }
    auto api_servers = find_api_servers(options.api_server);
    if (!api_servers) {
        errors << "routelet: " << api_servers.error() << "\n";
        return has_failed;
    }
    PlanOptions to_plan = options.plan;
    to_plan.api_servers = std::move(*api_servers);
    const std::string& own = options.plan.node_name;
    if (!own.empty() && !nodes.contains(own))
        errors << "routelet: no Node of these is named " << own
               << ", so this machine's own podCIDR is not known; --node-name has to be its Node's\n";

    KernelMirror mirror(options.identity, options.pod_bridge);
    mirror.reset(*state);
    const Plan plan = plan_routes(nodes.nodes(), mirror.local_facts(), to_plan);
    using Output = PlanCommandOptions::Output;
    const auto print = options.output == Output::ip     ? plan_as_commands
                       : options.output == Output::json ? plan_as_json
                                                        : plan_as_text;
    out << print(plan, mirror, options.identity);
    return is_planned;
}

} // namespace routelet::controller
