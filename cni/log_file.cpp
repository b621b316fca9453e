#include "cni/log_file.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

namespace routelet::cni {
namespace {

struct LogFile {
    UniqueFd fd;
    struct stat status;
};

// O_NONBLOCK: a pipe that nobody reads must not hold a pod.
std::optional<LogFile> open_log(const std::filesystem::path& path)
{
    LogFile log{UniqueFd(::open(path.c_str(),
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)),
                {}};
    if (!log.fd || ::fstat(log.fd.fd(), &log.status) != 0 || !S_ISREG(log.status.st_mode))
        return std::nullopt;
    return log;
}

bool is_still_there(const std::filesystem::path& path, const LogFile& log)
{
    struct stat now = {};
    return ::lstat(path.c_str(), &now) == 0 && now.st_dev == log.status.st_dev &&
           now.st_ino == log.status.st_ino;
}

// The lock is on the full file itself: two that see it full do not rename twice, which would lose the older
// one. Somebody else may have renamed it between our look and our lock.
void make_room(const std::filesystem::path& path, const LogFile& full)
{
    if (::flock(full.fd.fd(), LOCK_EX | LOCK_NB) != 0 || !is_still_there(path, full))
        return;
    (void)std::rename(path.c_str(),
                      (path.string() + ".1").c_str()); // else it goes on growing, and is retried
}

} // namespace

void append_to_log(const std::filesystem::path& file, const LogLine& line, std::size_t limit)
{
    std::optional<LogFile> log = open_log(file);
    if (log && static_cast<std::size_t>(log->status.st_size) >= limit) {
        make_room(file, *log);
        if (std::optional<LogFile> next = open_log(file))
            log = std::move(next);
    }
    if (!log)
        return;
    const std::string text = to_logfmt(line, std::chrono::system_clock::now()) + "\n";
    if (::write(log->fd.fd(), text.data(), text.size()) < 0)
        return; // a full disk is no reason to fail a pod
}

Report report_to(LogSettings log)
{
    return [log = std::move(log)](const LogLine& line) {
        report_to_standard_error(line);
        if (!log.file.empty() && line.level() >= log.level)
            append_to_log(log.file, line);
    };
}

} // namespace routelet::cni
