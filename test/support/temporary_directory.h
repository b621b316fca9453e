#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace routelet::test {

// An empty directory that goes away, with what is in it, at the end of the test.
struct TemporaryDirectory {
    std::filesystem::path path;

    explicit TemporaryDirectory(const std::filesystem::path& parent = std::filesystem::temp_directory_path())
    {
        std::string pattern = (parent / "routelet-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::runtime_error("cannot make a directory like " + pattern);
        path = pattern;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory()
    {
        std::error_code ignored; // a leftover in /tmp is no reason to fail a test
        std::filesystem::remove_all(path, ignored);
    }
};

} // namespace routelet::test
