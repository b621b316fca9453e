#include "cni/state_directory.h"

#include "base/file.h"
#include "cni/error.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

namespace routelet::cni {
namespace {

constexpr const char* index_directory = "by-id";
constexpr const char* unfinished = ".new"; // one is enough: only the holder of the lock writes
constexpr const char* boot_stamp = "boot_id";
constexpr const char* current_boot = "/proc/sys/kernel/random/boot_id";
constexpr const char* aside_directory = "damaged";

struct CloseDirectory {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};

Result<> make_directories(const std::filesystem::path& path)
{
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    if (failed)
        return Error{failed, "making the state directory " + path.string()};
    return {};
}

Result<UniqueFd> open_lock(int directory, const std::filesystem::path& path)
{
    UniqueFd file(::openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file && errno == EROFS) // nobody can change anything there; the folder stands in for its lock
        file.reset(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file)
        return last_errno("opening the lock " + (path / "lock").string());
    return file;
}

// flock(2) has no time limit of its own; a signal to cut it short would be felt by the whole process.
Result<> wait_for_lock(int lock, std::chrono::milliseconds patience, const std::filesystem::path& path)
{
    constexpr std::chrono::microseconds pause(500);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return last_errno("locking " + (path / "lock").string());
        if (std::chrono::steady_clock::now() >= deadline)
            return failure(ErrorCode::try_again_later,
                           "another process has held the lock " + (path / "lock").string() + " for " +
                               std::to_string(patience.count()) + " ms; see `fuser` on that file");
        std::this_thread::sleep_for(pause);
    }
    return {};
}

// Not every file system tells in its listing.
bool is_plain_file(int directory, const dirent& entry)
{
    if (entry.d_type != DT_UNKNOWN)
        return entry.d_type == DT_REG;
    struct stat status = {};
    return ::fstatat(directory, static_cast<const char*>(entry.d_name), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

bool forgets_at_reboot(int directory)
{
    struct statfs file_system = {};
    if (::fstatfs(directory, &file_system) != 0)
        return false;
    return file_system.f_type == TMPFS_MAGIC || file_system.f_type == RAMFS_MAGIC;
}

// Whether a stamp says which boot it is of: a UUID and a line's end, as the kernel writes it.
bool names_boot(const std::optional<std::string>& stamp)
{
    constexpr std::size_t length = 37;
    return stamp && stamp->size() == length && stamp->find_first_not_of("0123456789abcdef-") == length - 1 &&
           stamp->back() == '\n';
}

bool is_read_only(int directory)
{
    struct statvfs file_system = {};
    return ::fstatvfs(directory, &file_system) == 0 && (file_system.f_flag & ST_RDONLY) != 0;
}

Result<> write_all(int fd, std::string_view content, const std::string& path)
{
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return last_errno("writing " + path);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

constexpr auto no_plain_file = boost::system::errc::not_supported;

// `shown` is what errors call the file.
Result<std::optional<std::string>> read_at(int directory, const std::string& name, const std::string& shown,
                                           std::size_t limit)
{
    const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno == ENOENT)
        return std::optional<std::string>{};
    struct stat status = {};
    if ((!file && (errno == ELOOP || errno == ENXIO)) || // a link, a socket
        (file && ::fstat(file.fd(), &status) == 0 && !S_ISREG(status.st_mode)))
        return make_error(no_plain_file, shown + " is no plain file; remove it");
    if (!file)
        return last_errno("opening " + shown);

    std::array<char, 4096> piece{};
    std::string content;
    for (;;) {
        const ssize_t got = ::read(file.fd(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return last_errno("reading " + shown);
        if (got == 0 || content.size() > limit) // a file of that size is none of ours, however it goes on
            return std::optional(std::move(content));
        content.append(piece.data(), static_cast<std::size_t>(got));
    }
}

// The plain files' names; none where there is no such folder.
Result<std::vector<std::string>> list_at(int directory, const std::string& name, const std::string& shown)
{
    UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd && errno == ENOENT)
        return std::vector<std::string>{};
    const std::unique_ptr<DIR, CloseDirectory> stream(fd ? ::fdopendir(fd.fd()) : nullptr);
    if (!stream)
        return last_errno("opening " + shown);
    (void)fd.release(); // the stream's now

    std::vector<std::string> names;
    errno = 0; // which alone tells an error from the end
    while (const dirent* entry = ::readdir(stream.get())) {
        if (is_plain_file(::dirfd(stream.get()), *entry))
            names.emplace_back(entry->d_name);
        errno = 0;
    }
    if (errno != 0)
        return last_errno("reading " + shown);
    return names;
}

} // namespace

Result<StateDirectory> StateDirectory::open(const std::filesystem::path& path,
                                            std::chrono::milliseconds patience)
{
    // One call when it is there, which is always but for a network's first pod after a boot.
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory && errno == ENOENT) {
        if (auto made = make_directories(path / index_directory); !made)
            return made.error();
        directory.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    if (!directory)
        return last_errno("opening the state directory " + path.string());
    return lock(path, std::move(directory), patience);
}

Result<std::optional<StateDirectory>> StateDirectory::open_existing(const std::filesystem::path& path,
                                                                    std::chrono::milliseconds patience)
{
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory && (errno == ENOENT || errno == ENOTDIR))
        return std::optional<StateDirectory>{};
    if (!directory)
        return last_errno("opening the state directory " + path.string());
    Result<StateDirectory> locked = lock(path, std::move(directory), patience);
    if (!locked)
        return locked.error();
    return std::optional(std::move(*locked));
}

Result<StateDirectory> StateDirectory::lock(const std::filesystem::path& path, UniqueFd directory,
                                            std::chrono::milliseconds patience)
{
    Result<UniqueFd> file = open_lock(directory.fd(), path);
    if (!file)
        return file.error();
    if (auto locked = wait_for_lock(file->fd(), patience, path); !locked)
        return locked.error();

    StateDirectory state(path, std::move(directory), std::move(*file));
    if (auto current = state.forget_earlier_boot(); !current)
        return current.error();
    return state;
}

// A folder without the stamp is new, or was host-local's, whose reservations may be of living pods: kept.
Result<> StateDirectory::forget_earlier_boot() const
{
    if (forgets_at_reboot(directory_.fd()) || is_read_only(directory_.fd()))
        return {};
    const Result<std::string> current = read_file(current_boot);
    if (!current)
        return {}; // without /proc there is no telling; what is there is safer kept
    const Result<std::optional<std::string>> stamped = read(boot_stamp);
    if (!stamped)
        return stamped.error();
    if (*stamped == *current)
        return {};
    if (names_boot(*stamped))
        if (auto cleared = clear(); !cleared)
            return cleared;
    return write(boot_stamp, *current); // last: a kill before this clears once more
}

// All but the lock and the stamp, which says until the end that there is something to clear.
Result<> StateDirectory::clear() const
{
    for (const std::string below : {".", index_directory}) {
        const Result<std::vector<std::string>> names = list(below);
        if (!names)
            return names.error();
        for (const std::string& name : *names)
            if (name != "lock" && name != boot_stamp)
                if (auto removed = remove((std::filesystem::path(below) / name).string()); !removed)
                    return removed;
    }
    return {};
}

Result<std::optional<std::string>> StateDirectory::read(const std::string& name, std::size_t limit) const
{
    return read_at(directory_.fd(), name, full(name), limit);
}

Result<bool> StateDirectory::has(const std::string& name) const
{
    struct stat status = {};
    if (::fstatat(directory_.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (errno == ENOENT)
        return false;
    return last_errno("looking for " + full(name));
}

Result<> StateDirectory::write(const std::string& name, std::string_view content) const
{
    const auto create = [this] {
        return UniqueFd(::openat(directory_.fd(), unfinished,
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    };
    UniqueFd file = create();
    if (!file && errno == EEXIST) { // a killed process's, or a pipe, which would block
        (void)::unlinkat(directory_.fd(), unfinished, 0);
        file = create();
    }
    if (!file)
        return last_errno("creating " + full(unfinished));
    const auto give_name = [&] {
        return ::renameat(directory_.fd(), unfinished, directory_.fd(), name.c_str()) == 0;
    };
    Result<> written = write_all(file.fd(), content, full(name));
    if (written && !give_name() && !(errno == ENOENT && make_index_directory() && give_name()))
        written = last_errno("renaming " + full(unfinished) + " to " + name);
    if (!written)
        ::unlinkat(directory_.fd(), unfinished, 0);
    return written;
}

// The folder may be another plugin's, which has none.
bool StateDirectory::make_index_directory() const
{
    return ::mkdirat(directory_.fd(), index_directory, 0755) == 0;
}

Result<> StateDirectory::overwrite(const std::string& name, std::string_view content) const
{
    const UniqueFd file(::openat(directory_.fd(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    if (!file)
        return last_errno("opening " + full(name));
    return write_all(file.fd(), content, full(name));
}

Result<> StateDirectory::append(const std::string& name, std::string_view content) const
{
    const UniqueFd file(::openat(directory_.fd(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    if (!file)
        return last_errno("opening " + full(name));
    return write_all(file.fd(), content, full(name));
}

Result<std::string> StateDirectory::set_aside(const std::string& name) const
{
    const std::string aside = std::string(aside_directory) + "/" + name;
    if (::mkdirat(directory_.fd(), aside_directory, 0755) != 0 && errno != EEXIST)
        return last_errno("making " + full(aside_directory));
    if (::renameat(directory_.fd(), name.c_str(), directory_.fd(), aside.c_str()) != 0)
        return last_errno("moving " + full(name) + " to " + full(aside));
    return full(aside);
}

Result<> StateDirectory::remove(const std::string& name) const
{
    if (::unlinkat(directory_.fd(), name.c_str(), 0) == 0 || errno == ENOENT)
        return {};
    const Error failed = last_errno("removing " + full(name));
    // A read-only file system says so before it looks for the name.
    if (failed.code == boost::system::errc::read_only_file_system &&
        ::faccessat(directory_.fd(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return {};
    return failed;
}

Result<std::vector<std::string>> StateDirectory::list(const std::string& below) const
{
    return list_at(directory_.fd(), below, full(below));
}

std::optional<std::chrono::seconds> StateDirectory::age(const std::string& name) const
{
    struct stat status = {};
    if (::fstatat(directory_.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return std::nullopt;
    // Not time(2), which reads a coarser clock than the one that files are stamped with: a new file would be
    // -1 s old.
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return now.time_since_epoch() - std::chrono::seconds(status.st_mtim.tv_sec);
}

bool is_of_earlier_boot(const std::filesystem::path& path)
{
    const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || forgets_at_reboot(directory.fd()))
        return false;
    const Result<std::string> current = read_file(current_boot);
    const Result<std::optional<std::string>> stamped = read_unlocked(path / boot_stamp);
    return current && stamped && names_boot(*stamped) && **stamped != *current;
}

Result<bool> is_of_this_boot(const std::filesystem::path& file)
{
    const Result<std::optional<std::string>> stamp = read_unlocked(file);
    if (!stamp)
        return stamp.error();
    if (!stamp->has_value())
        return false;
    // Asked first: in a container, or a node that is one, another boot id may be shown.
    const UniqueFd folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder && forgets_at_reboot(folder.fd()))
        return true;
    const Result<std::string> current = read_file(current_boot);
    if (!current)
        return current.error();
    return **stamp == *current;
}

Result<std::optional<std::string>> read_unlocked(const std::filesystem::path& file)
{
    return read_at(AT_FDCWD, file.string(), file.string(), 4096);
}

Result<std::vector<std::string>> list_unlocked(const std::filesystem::path& folder)
{
    return list_at(AT_FDCWD, folder.string(), folder.string());
}

bool is_no_plain_file(const Error& error)
{
    return error.code == no_plain_file;
}

Result<> check_usable(const std::filesystem::path& path)
{
    std::filesystem::path nearest = path;
    struct stat status = {};
    while (::stat(nearest.c_str(), &status) != 0) {
        if (errno != ENOENT || nearest == nearest.parent_path())
            return last_errno("the state directory " + path.string() + " cannot be used");
        nearest = nearest.parent_path();
    }
    if (!S_ISDIR(status.st_mode))
        return make_error(boost::system::errc::not_a_directory, nearest.string());
    if (::access(nearest.c_str(), W_OK | X_OK) != 0)
        return last_errno("the state directory " + path.string() + " cannot be written");
    return {};
}

} // namespace routelet::cni
