#pragma once
#include "base/result.h"
#include "base/unique_fd.h"
#include "cni/patience.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// The folder with one network's allocation state, as small files. While an object of this class lives, the
// process holds the folder's lock (flock(2) on the file "lock", which the reference plugin host-local takes
// too), so nobody else changes it. The kernel frees the lock of a killed process.
//
// A file appears under its name only complete: it is written as ".new" and renamed (write()). Nothing is
// synced: on tmpfs a reboot takes the state and the pods alike. A folder elsewhere carries a "boot_id", and
// is emptied when the machine has booted since, because no attachment survives that. On a read-only file
// system it can be read, and removing what is not there succeeds. A "boot_id" that is none says nothing: all
// is kept, since pods may live, and the folder gets another.
class StateDirectory {
public:
    // Makes the folder where it is missing, waits for the lock, and empties a folder of an earlier boot.
    // Fails with try_again_later when the lock stays taken for that long.
    static Result<StateDirectory> open(const std::filesystem::path& path,
                                       std::chrono::milliseconds patience = patience_with_others);
    // The same, without making anything: empty when there is no such folder.
    static Result<std::optional<StateDirectory>>
    open_existing(const std::filesystem::path& path,
                  std::chrono::milliseconds patience = patience_with_others);

    // Names are relative: "10.244.1.7", "by-id/...". Reading waits for nobody: a pipe or the like is an
    // error, see is_no_plain_file().
    // Empty when there is no such file. Of one longer than `limit` bytes, the beginning.
    Result<std::optional<std::string>> read(const std::string& name, std::size_t limit = 4096) const;
    Result<bool> has(const std::string& name) const; // anything of that name
    Result<> write(const std::string& name, std::string_view content) const;
    // In place, which takes half the time: for what may be lost. A kill leaves the file empty.
    Result<> overwrite(const std::string& name, std::string_view content) const;
    // Adds to the end of a file, or begins it.
    Result<> append(const std::string& name, std::string_view content) const;
    // Moves a file into the folder "damaged", over an older one of the same name there. Returns where it is.
    Result<std::string> set_aside(const std::string& name) const;
    Result<> remove(const std::string& name) const; // nothing to remove is success
    // The names of the plain files in the folder, or in the one below of that name; in no order.
    Result<std::vector<std::string>> list(const std::string& below = ".") const;
    // How long ago the file was written; empty when there is none.
    std::optional<std::chrono::seconds> age(const std::string& name) const;

private:
    StateDirectory(std::filesystem::path path, UniqueFd directory, UniqueFd lock)
        : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock))
    {
    }
    static Result<StateDirectory> lock(const std::filesystem::path& path, UniqueFd directory,
                                       std::chrono::milliseconds patience);
    Result<> forget_earlier_boot() const;
    Result<> clear() const;
    bool make_index_directory() const;
    std::string full(const std::string& name) const { return (path_ / name).string(); }

    std::filesystem::path path_;
    UniqueFd directory_;
    UniqueFd lock_;
};

// Whether the folder holds the state of an earlier boot, which the next open() empties. Changes nothing.
bool is_of_earlier_boot(const std::filesystem::path& path);

// Whether a file was written since the machine booted: it lies where a reboot takes it, or it is a stamp of
// this boot, which is the content of /proc/sys/kernel/random/boot_id. False when there is none.
Result<bool> is_of_this_boot(const std::filesystem::path& file);

// The content of a file in such a folder, without the lock; otherwise as StateDirectory::read().
Result<std::optional<std::string>> read_unlocked(const std::filesystem::path& file);

// The names of the plain files in a folder, without a lock; none where there is no such folder.
Result<std::vector<std::string>> list_unlocked(const std::filesystem::path& folder);

// Whether reading failed because there is something that we never make: a directory, link, pipe or device.
bool is_no_plain_file(const Error& error);

// Whether ADD could keep state there, without changing anything: the folder, or the nearest one above that
// exists, is a folder that can be written. Fails with the reason when not.
Result<> check_usable(const std::filesystem::path& path);

} // namespace routelet::cni
