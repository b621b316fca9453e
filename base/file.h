#pragma once
#include "base/result.h"

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace routelet {

// The whole content of a file, which may be a pipe or in /proc. Fails with the errno of open or read, with
// file_too_large beyond `limit` bytes, and with is_a_directory for one; the context names the path.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 16U << 20U);

// The same of a regular file only. For files that somebody else names: a FIFO or a terminal would keep the
// reader waiting for ever. Fails with not_supported for those, and waits for nothing.
Result<std::string> read_regular_file(const std::filesystem::path& path, std::size_t limit = 16U << 20U);

// Replaces the file by one with this content: written beside it, renamed over it, so that a reader sees the
// old content or the new and never a part. The parent directory must exist.
// `durable` also syncs file and directory, for what has to survive a power loss.
struct WriteOptions {
    mode_t mode = 0644;
    bool durable = false;
};
Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                               WriteOptions options = {});

} // namespace routelet
