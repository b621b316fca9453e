#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/environment.h"
#include "cni/state_directory.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// The files of a network's folder that say which pod has which address, one by one; their format and what
// holds among them is told at AddressStore.

// The content of a reservation, and back: empty when it names no owner. Files of old host-local hold no
// interface.
std::string reservation_text(const AttachmentId& id);
std::optional<AttachmentId> parse_reservation(std::string_view content);

// An address's file: there is none, it names somebody, or it names nobody although it is there.
struct Reservation {
    bool exists = false;
    std::optional<AttachmentId> owner;

    bool is_damaged() const noexcept { return exists && !owner; }
    bool is_of(const AttachmentId& id) const noexcept;
};
Result<Reservation> reservation_of(const StateDirectory& state, const IpAddress& address);

// All addresses that have a file, whatever is in it. One by another spelling, as "fd00::10.244.1.7", is
// nobody's.
Result<std::vector<IpAddress>> listed_addresses(const StateDirectory& state);

// Whether the attachment has an index file, in whatever state, and how long ago it was written.
Result<bool> has_index(const StateDirectory& state, const AttachmentId& id);
std::optional<std::chrono::seconds> index_age(const StateDirectory& state, const AttachmentId& id);

// The addresses whose reservation names the attachment. Without an index, as after host-local, or with one
// that is damaged, every reservation is read.
Result<std::vector<IpAddress>> held_addresses(const StateDirectory& state, const AttachmentId& id);

// Whose index a file is, by its name; nobody's when it is none of ours.
std::optional<AttachmentId> attachment_of_index(const std::string& file);

// The attachments that have an index in a network's folder, in no order; none when there is no such folder.
// Without the lock: one that comes or goes right now may be among them or not.
Result<std::vector<AttachmentId>> indexed_attachments(const std::filesystem::path& folder);

Result<> write_index(const StateDirectory& state, const AttachmentId& id,
                     const std::vector<IpAddress>& addresses);
Result<> remove_index(const StateDirectory& state, const AttachmentId& id);
Result<> write_reservation(const StateDirectory& state, const IpAddress& address, const AttachmentId& id);
Result<> remove_reservation(const StateDirectory& state, const IpAddress& address);

} // namespace routelet::cni
