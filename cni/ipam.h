#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"
#include "cni/living.h"
#include "cni/log_file.h"
#include "cni/report.h"
#include "cni/state_directory.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace routelet::cni {

// An address for a pod, with what its interface needs to know of the subnet.
struct PodAddress {
    IpAddress address;
    unsigned length = 0; // bits, of the subnet
    IpAddress gateway;

    friend bool operator==(const PodAddress&, const PodAddress&) = default;
};

std::vector<IpAddress> addresses_of(const std::vector<PodAddress>& reserved);

// What a reservation is made with besides the ranges.
struct ReserveOptions {
    std::vector<IpAddress> wanted{};   // asked for by name
    std::chrono::seconds cooldown{60}; // an address freed less than that ago is given out last
    LivingLookup living{};             // what the kernel shows; nothing is asked when empty
};

// Which pod has which address, kept in dataDir/<network name>/ on the node (the on-disk format is
// host-local's, so that either plugin respects what the other gave out):
//
//     10.244.1.7            "<container id>\r\n<interface>": reserved
//     last_reserved_ip.0    the address given last from the first range set; the search goes on behind it
//     by-id/<id>:<ifname>   ours alone: the addresses of one attachment, a line each
//     freed                 ours alone: what was freed lately, and when (RestingAddresses)
//     damaged/              ours alone: files that said nothing, kept for whoever wants to know
//
// The by-id file is written before its addresses are reserved and removed after they are freed. So whenever a
// process is killed, every reservation of an attachment is listed there, and release() finds it, without
// reading the folder; and a listed address whose reservation names somebody else is not touched. Neither
// reserve(), release() nor reserved() takes longer with more pods, but for two cases: when most addresses are
// taken, the search has a look for each of those; and of an attachment without an index, as host-local's or
// one that was freed already, every reservation is read.
// A reservation that names no owner (empty, truncated, garbage) is damaged: it is given out when nothing else
// is free, and only if the kernel shows nobody who has the address. An address that the kernel shows in use
// without a reservation is passed over, and its reservation written anew.
// Safe against any number of processes at once: each call holds the folder's lock.
//
// A node that comes from another plugin can name that one's folder (`ipam.importFrom`). Whatever is reserved
// there is taken, and is freed there by release(), or by the other plugin: nothing is copied, so there is
// nothing that a kill could leave half done. Its lock is taken after ours. The other plugin does not look
// into our folder, so it has to be out of the runtime's configuration. Nothing there outlives a boot, as
// here.
class AddressStore {
public:
    explicit AddressStore(
        std::filesystem::path directory, std::filesystem::path imported = {},
        Report report = [](const LogLine&) {})
        : directory_(std::move(directory)), imported_(std::move(imported)), report_(std::move(report))
    {
    }
    static AddressStore of(const Network& network)
    {
        return AddressStore(network.data_dir / network.name, network.import_from, report_to(network.log));
    }

    const std::filesystem::path& directory() const noexcept { return directory_; }

    // An address of each set, in the order of the sets: a wanted one, else what the attachment has already,
    // else the next free one. All or none. Fails with addresses_exhausted naming the ranges, with
    // invalid_config when a wanted address is taken, and with try_again_later.
    Result<std::vector<PodAddress>> reserve(const AttachmentId& id, const std::vector<RangeSet>& sets,
                                            const ReserveOptions& options = {}) const;

    // Frees whatever the attachment has; having nothing is success, also when there is no folder at all.
    Result<> release(const AttachmentId& id) const;

    // Frees what the attachment has if its index was written at least that long ago and `is_gone` says yes to
    // its addresses: all of it under the lock, so no ADD of the same attachment comes in between. Returns
    // what was freed. Nobody is waited for (try_again_later), and imported reservations stay.
    using IsGone = std::function<Result<bool>(const std::vector<IpAddress>&)>;
    Result<std::vector<IpAddress>> release_if(const AttachmentId& id, std::chrono::seconds at_least,
                                              const IsGone& is_gone) const;

    // The addresses reserved for the attachment; empty when none are.
    Result<std::vector<IpAddress>> reserved(const AttachmentId& id) const;

    // Whether what is reserved for the attachment is imported: the network before made it.
    Result<bool> has_imported(const AttachmentId& id) const;

    // Attachments with a reservation that is at least that old; none of the imported ones, which a runtime
    // does not count among this network's.
    Result<std::set<AttachmentId>> attachments(std::chrono::seconds at_least) const;

    // Whether each set has a free address now, found without changing anything or waiting for the lock.
    Result<> check_capacity(const std::vector<RangeSet>& sets) const;

private:
    Result<std::optional<StateDirectory>> open_imported() const;

    std::filesystem::path directory_;
    std::filesystem::path imported_; // empty: none
    Report report_;
};

} // namespace routelet::cni
