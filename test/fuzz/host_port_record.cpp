// A file of the plugin's that says which ports of the node an attachment has.
#include "cni/host_port.h"
#include "cni/host_port_table.h"
#include "test/fuzz/target.h"

#include <set>

namespace {

using namespace routelet;
using namespace routelet::cni;
using fuzz::require;

void check_table(const netlink::NftTable& table)
{
    for (const netlink::NftMap& map : table.maps) {
        std::set<std::vector<std::uint8_t>> keys;
        for (const netlink::NftElement& element : map.elements)
            require(keys.insert(element.key).second, "no key is in a map twice: the kernel would refuse all");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const AttachmentId id{"abc", "eth0"};
    const auto record = parse_record(id, {reinterpret_cast<const char*>(data), size});
    if (!record)
        return 0;
    require(is_interface_name(record->link), "the link is a name that the kernel takes");
    require(!record->ports.empty(), "a record has a port");
    for (const HostPort& port : record->ports)
        require(port.host_port != 0 && port.pod_port != 0 && port.host.family() == port.pod.family(),
                "a port is one, and leads to an address of its own family");
    require(parse_record(id, record_text(*record)) == record, "what is written reads back");
    check_table(host_port_table({*record}));
    return 0;
}
