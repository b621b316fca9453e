#pragma once
#include "base/file.h"
#include "cni/ipam.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace routelet::test {

using cni::AddressRange;
using cni::AddressStore;
using cni::AttachmentId;
using cni::RangeSet;

namespace fs = std::filesystem;

inline RangeSet whole(const IpPrefix& subnet)
{
    return need(RangeSet::make({need(AddressRange::make(subnet, {}))}));
}

inline AttachmentId pod(int number)
{
    return {"pod" + std::to_string(number), "eth0"};
}

// An address store in a folder of its own, and a look at its files.
struct Store {
    // Where a reboot leaves files alone (file-hierarchy(7)): on tmpfs there is no earlier boot's state to
    // forget.
    TemporaryDirectory temporary{"/var/tmp"};
    fs::path folder = temporary.path / "ipam" / "net";
    AddressStore store{folder};

    IpAddress give(const AttachmentId& id, const RangeSet& set) const
    {
        return need(store.reserve(id, {set}))[0].address;
    }

    void put(const std::string& name, const std::string& content) const
    {
        fs::create_directories(folder / "by-id");
        std::ofstream(folder / name) << content;
    }
    // Names of the address files, whatever is in them.
    std::set<std::string> files() const
    {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder))
            if (IpAddress::parse(entry.path().filename().string()))
                names.insert(entry.path().filename().string());
        return names;
    }
    bool has_index() const { return !fs::is_empty(folder / "by-id"); }
};

} // namespace routelet::test
