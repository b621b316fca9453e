// The plugin's folder with anything in it. Files are separated by a line "--"; the first line of each is its
// name: an address, "freed", "by-id/...", "boot_id" and what else may lie there.
#include "base/file.h"
#include "cni/error.h"
#include "cni/ipam.h"
#include "cni/reservations.h"
#include "test/fuzz/target.h"
#include "test/support/temporary_directory.h"

#include <algorithm>
#include <fstream>
#include <map>

namespace {

using namespace routelet;
using namespace routelet::cni;
using fuzz::require;
namespace fs = std::filesystem;

const AttachmentId me{"me", "eth0"};

// What another attachment has, by address.
using Others = std::map<std::string, std::string>;

void put(const fs::path& folder, std::string_view file)
{
    const std::size_t end = std::min(file.find('\n'), file.size());
    std::string name(file.substr(0, end));
    const bool is_indexed = name.starts_with("by-id/");
    const std::string last = is_indexed ? name.substr(6) : name;
    const bool is_odd = last.empty() || last == "." || last == ".." || last == "by-id" || last == "damaged" ||
                        last.size() > 200 ||
                        last.find_first_of(std::string_view("/\0", 2)) != std::string::npos;
    // Bytes of one boot: an earlier one's folder is emptied, which is another matter.
    if (is_odd || name == "boot_id")
        return;
    const std::string_view content = file.substr(std::min(end + 1, file.size()));
    std::ofstream(folder / name, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
}

void fill(const fs::path& folder, std::string_view input)
{
    constexpr std::string_view separator = "\n--\n";
    fs::create_directories(folder / "by-id");
    for (int files = 0; files < 40 && !input.empty(); ++files) {
        const std::size_t end = std::min(input.find(separator), input.size());
        put(folder, input.substr(0, end));
        input.remove_prefix(std::min(end + separator.size(), input.size()));
    }
}

// The reservations of others, and how many name me.
Others others_in(const fs::path& folder, int& mine)
{
    Others others;
    mine = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename();
        const Result<IpAddress> address = IpAddress::parse(name);
        if (!address || address->to_string() != name || !entry.is_regular_file())
            continue;
        const Result<std::string> content = read_file(entry.path());
        require(content.has_value(), "a reservation can be read");
        const auto owner = parse_reservation(std::string_view(*content).substr(0, 8192));
        if (!owner)
            continue;
        if (owner->container == me.container &&
            (owner->interface.empty() || owner->interface == me.interface))
            ++mine;
        else
            others[name] = *content;
    }
    return others;
}

RangeSet whole(const char* subnet)
{
    return RangeSet::make({AddressRange::make(IpPrefix::parse(subnet).value(), {}).value()}).value();
}

void check_reservation(const AddressStore& store, const fs::path& folder, const Others& before)
{
    const std::vector<RangeSet> sets = {whole("10.244.1.0/29"), whole("fd00::/126")};
    const auto given = store.reserve(me, sets);
    int mine = 0;
    require(others_in(folder, mine) == before, "ADD leaves what others have as it is");
    if (!given) {
        require(has_code(given.error(), ErrorCode::addresses_exhausted), "files are no reason to fail");
        return;
    }
    require(given->size() == 2, "an address of each set, or none");
    for (std::size_t i = 0; i < given->size(); ++i) {
        const IpAddress address = (*given)[i].address;
        require(sets[i].range_offering(address) != nullptr, "an address is one of the set's");
        require(!before.contains(address.to_string()), "no address is given twice");
        require(read_file(folder / address.to_string()).value() == reservation_text(me),
                "what was given is written down");
    }
    const auto again = store.reserve(me, sets);
    require(again && *again == *given, "who has an address gets it again");
    require(store.reserved(me).value().size() == 2, "and is known to have it");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const test::TemporaryDirectory temporary;
    const fs::path folder = temporary.path / "net";
    fs::remove_all(folder);
    fill(folder, fuzz::text_of(data, size));
    const AddressStore store(folder);

    // An index that lists a part only is believed once; without one all is searched.
    require(store.release(me).has_value() && store.release(me).has_value(),
            "files keep no DEL from its work");
    int mine = 0;
    const Others before = others_in(folder, mine);
    require(mine == 0 && store.reserved(me).value().empty(), "after DEL nothing is left");

    check_reservation(store, folder, before);
    require(store.release(me).has_value(), "what ADD reserved can be freed");
    require(others_in(folder, mine) == before && mine == 0, "DEL frees all of its own, and nothing else");
    require(store.attachments(std::chrono::seconds(0)).has_value(), "files keep no GC from its work");
    return 0;
}
