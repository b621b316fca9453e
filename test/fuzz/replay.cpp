// Runs a fuzz target with kept inputs, without a fuzzer: fuzz_TARGET FOLDER|FILE...
// An input that breaks the target ends the program; the last name that it printed is that input's.
#include "test/fuzz/target.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

namespace {

std::vector<std::filesystem::path> files_of(int count, char** arguments)
{
    namespace fs = std::filesystem;
    std::vector<fs::path> files;
    for (int i = 1; i < count; ++i) {
        const fs::path path = arguments[i];
        if (!fs::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (const fs::directory_entry& entry : fs::directory_iterator(path))
            if (entry.is_regular_file())
                files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

} // namespace

int main(int count, char** arguments)
try {
    const auto files = files_of(count, arguments);
    if (files.empty()) {
        std::cerr << "no inputs: give a file, or a folder with files\n";
        return 1;
    }
    for (const auto& file : files) {
        std::cout << file.string() << std::endl; // flushed: the next line may be the last thing we do
        std::ifstream stream(file, std::ios::binary);
        if (!stream) {
            std::cerr << "cannot be read: " << file.string() << '\n';
            return 1;
        }
        const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), {});
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    std::cout << files.size() << " inputs, all as they should be\n";
    return 0;
} catch (const std::exception& problem) {
    std::cerr << problem.what() << '\n';
    return 1;
}
