#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// An address for a pod, with what its interface needs to know of the subnet.
struct PodAddress {
    IpAddress address;
    unsigned length = 0; // bits, of the subnet
    IpAddress gateway;

    friend bool operator==(const PodAddress&, const PodAddress&) = default;
};

// Which pod has which address, kept in dataDir/<network name>/ on the node (the on-disk format is
// host-local's, so that either plugin respects what the other gave out):
//
//     10.244.1.7            "<container id>\r\n<interface>": reserved
//     last_reserved_ip.0    the address given last from the first range set; the search goes on behind it
//     by-id/<id>:<ifname>   ours alone: the addresses of one attachment, a line each
//
// The by-id file is written before its addresses are reserved and removed after they are freed. So whenever a
// process is killed, every reservation of an attachment is listed there, and release() finds it, without
// reading the folder; and a listed address whose reservation names somebody else is not touched.
// A reservation that names no owner (empty, truncated, garbage) counts as free.
// Safe against any number of processes at once: each call holds the folder's lock.
class AddressStore {
public:
    explicit AddressStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
    static AddressStore of(const Network& network) { return AddressStore(network.data_dir / network.name); }

    // An address of each set, in the order of the sets: what the attachment has already, else a wanted one,
    // else the next free one. All or none. Fails with addresses_exhausted naming the ranges, with
    // invalid_config when a wanted address is taken, and with try_again_later.
    Result<std::vector<PodAddress>> reserve(const AttachmentId& id, const std::vector<RangeSet>& sets,
                                            const std::vector<IpAddress>& wanted = {}) const;

    // Frees whatever the attachment has; having nothing is success, also when there is no folder at all.
    Result<> release(const AttachmentId& id) const;

    // The addresses reserved for the attachment; empty when none are.
    Result<std::vector<IpAddress>> reserved(const AttachmentId& id) const;

    // Attachments with a reservation that is at least that old.
    Result<std::set<AttachmentId>> attachments(std::chrono::seconds at_least) const;

    // Whether each set has a free address now, found without changing anything or waiting for the lock.
    Result<> check_capacity(const std::vector<RangeSet>& sets) const;

private:
    std::filesystem::path directory_;
};

// The content of a reservation, and back: empty when it names no owner. Files of old host-local hold no
// interface.
std::string reservation_text(const AttachmentId& id);
std::optional<AttachmentId> parse_reservation(std::string_view content);

} // namespace routelet::cni
