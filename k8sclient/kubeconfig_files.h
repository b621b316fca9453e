#pragma once
#include "base/result.h"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Kubeconfig files as YAML, and how several are merged. Private to k8sclient.
//
// Values of the wrong type are refused as yaml-cpp refuses what it does not like, by YAML::Exception with the
// line: whoever looks into a map catches it.
namespace routelet::k8s {

// invalid_argument, said in full by `why`.
Error bad_config(std::string why);
std::string in_quotes(std::string_view name);

// A member that is absent and one that is null are the same.
bool has(const YAML::Node& map, const char* key);
std::string text_of(const YAML::Node& map, const char* key); // empty when it is absent
bool is_true(const YAML::Node& map, const char* key);
// The entries of a list; none when it is absent.
YAML::Node entries_of(const YAML::Node& map, const char* list);
[[noreturn]] void refuse_type(const YAML::Node& value, const std::string& name, const char* expected);

// A map of a kubeconfig, and where relative names of files in it start.
struct KubeconfigMap {
    YAML::Node map;
    std::filesystem::path file; // that it is in

    // The file that member `key` names; empty when it is absent.
    std::filesystem::path file_of(const char* key) const;
};

// The files of one configuration in their order; the first one's word counts.
class KubeconfigFiles {
public:
    // Reads one more; the error says what is wrong with it, without its name.
    Result<> add(const std::filesystem::path& file);

    std::size_t size() const noexcept { return files_.size(); }
    // A text at the top, of the first file that has it.
    std::string text_of(const char* key) const;
    // The map called `kind` of the first entry called `name` in the lists `list`: clusters, users and
    // contexts all look like [{name: NAME, cluster: {...}}].
    std::optional<KubeconfigMap> find_entry(const char* list, const char* kind, std::string_view name) const;
    // For a message about a name that is not there: "its contexts: "a", "b"".
    std::string names_in(const char* list) const;

private:
    std::vector<KubeconfigMap> files_;
};

} // namespace routelet::k8s
