#include "base/file.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace routelet {
namespace {

Result<std::string> read_all(int fd, const std::filesystem::path& path, std::size_t limit)
{
    std::string content;
    std::array<char, 8192> piece{};
    for (;;) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return last_errno("reading " + path.string());
        if (got == 0)
            return content;
        if (content.size() + static_cast<std::size_t>(got) > limit)
            return make_error(boost::system::errc::file_too_large,
                              "reading " + path.string() + " (limit " + std::to_string(limit) + " bytes)");
        content.append(piece.data(), static_cast<std::size_t>(got));
    }
}

Result<> write_all(int fd, std::string_view content, const std::filesystem::path& path)
{
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return last_errno("writing " + path.string());
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<> write_new_file(const std::filesystem::path& path, std::string_view content, WriteOptions options)
{
    const UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, options.mode));
    if (!file)
        return last_errno("creating " + path.string());
    if (::fchmod(file.fd(), options.mode) != 0) // open() applied the umask
        return last_errno("setting the mode of " + path.string());
    if (auto written = write_all(file.fd(), content, path); !written)
        return written;
    if (options.durable && ::fsync(file.fd()) != 0)
        return last_errno("syncing " + path.string());
    return {};
}

Result<> sync_directory(const std::filesystem::path& directory)
{
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.fd()) != 0)
        return last_errno("syncing directory " + directory.string());
    return {};
}

} // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return last_errno("opening " + path.string());
    return read_all(file.fd(), path, limit);
}

Result<std::string> read_regular_file(const std::filesystem::path& path, std::size_t limit)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file)
        return last_errno("opening " + path.string());
    struct stat status = {};
    if (::fstat(file.fd(), &status) != 0)
        return last_errno("examining " + path.string());
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) // read() says it of a directory
        return make_error(boost::system::errc::not_supported,
                          "reading " + path.string() + ", which is not a regular file");
    return read_all(file.fd(), path, limit);
}

Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                               WriteOptions options)
{
    std::filesystem::path beside = path;
    beside.replace_filename("." + path.filename().string() + "." + std::to_string(::getpid()) + ".tmp");

    auto written = write_new_file(beside, content, options);
    if (written && ::rename(beside.c_str(), path.c_str()) != 0)
        written = last_errno("renaming " + beside.string() + " to " + path.string());
    if (!written) {
        ::unlink(beside.c_str());
        return written;
    }
    return options.durable ? sync_directory(path.parent_path()) : Result<>{};
}

} // namespace routelet
