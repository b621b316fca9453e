#include "cni/stand_in.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <climits>

namespace routelet::cni {

// Without close_range(2), which Linux has from 5.9 on, only those that we may have.
void close_all_from(int first)
{
    constexpr int most_of_ours = 64;
    if (::close_range(static_cast<unsigned>(first), UINT_MAX, 0) != 0)
        for (int fd = first; fd < most_of_ours; ++fd)
            ::close(fd);
}

// Nobody writes into the pipe, and its other end stays open for as long as we live: the child, which reads,
// goes on when we have ended, and with us our copy of the file has gone.
void close_elsewhere(int file)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return;
    const UniqueFd end_of_ours(ends[0]);
    if (::fork() != 0)
        return;
    char nothing = 0;
    if (::dup2(end_of_ours.fd(), STDIN_FILENO) >= 0 && ::dup2(file, STDOUT_FILENO) >= 0) {
        close_all_from(STDERR_FILENO);
        (void)!::read(STDIN_FILENO, &nothing, 1);
    }
    ::_exit(0);
}

} // namespace routelet::cni
