#include "k8sclient/kubeconfig_files.h"

#include "base/file.h"
#include "base/join.h"

namespace routelet::k8s {
namespace {

constexpr std::size_t size_limit = 8U << 20U; // bytes

} // namespace

Error bad_config(std::string why)
{
    return make_error(boost::system::errc::invalid_argument, std::move(why));
}

std::string in_quotes(std::string_view name)
{
    return "\"" + std::string(name) + "\"";
}

bool has(const YAML::Node& map, const char* key)
{
    return map[key] && !map[key].IsNull();
}

void refuse_type(const YAML::Node& value, const std::string& name, const char* expected)
{
    throw YAML::Exception(value.Mark(), name + " should be " + expected);
}

std::string text_of(const YAML::Node& map, const char* key)
{
    if (!has(map, key))
        return "";
    const YAML::Node value = map[key];
    if (!value.IsScalar())
        refuse_type(value, key, "a text");
    return value.Scalar();
}

bool is_true(const YAML::Node& map, const char* key)
{
    bool value = false;
    if (has(map, key) && !YAML::convert<bool>::decode(map[key], value))
        refuse_type(map[key], key, "true or false");
    return value;
}

YAML::Node entries_of(const YAML::Node& root, const char* list)
{
    if (!has(root, list))
        return YAML::Node(YAML::NodeType::Sequence);
    const YAML::Node entries = root[list];
    if (!entries.IsSequence())
        refuse_type(entries, list, "a list");
    return entries;
}

std::filesystem::path KubeconfigMap::file_of(const char* key) const
{
    const std::string name = k8s::text_of(map, key);
    return name.empty() ? std::filesystem::path()
                        : file.parent_path() / name; // an absolute name stays as it is
}

Result<> KubeconfigFiles::add(const std::filesystem::path& file)
{
    auto text = read_file(file, size_limit);
    if (!text)
        return text.error();
    YAML::Node root = YAML::Load(*text);
    if (!root.IsMap())
        return bad_config("it is not a kubeconfig: expected a map with clusters, users and contexts");
    files_.push_back({std::move(root), file});
    return {};
}

std::string KubeconfigFiles::text_of(const char* key) const
{
    for (const KubeconfigMap& file : files_)
        if (std::string text = k8s::text_of(file.map, key); !text.empty())
            return text;
    return "";
}

std::optional<KubeconfigMap> KubeconfigFiles::find_entry(const char* list, const char* kind,
                                                         std::string_view name) const
{
    for (const KubeconfigMap& file : files_)
        for (const YAML::Node& entry : entries_of(file.map, list)) {
            if (!entry.IsMap() || k8s::text_of(entry, "name") != name)
                continue;
            if (!has(entry, kind))
                return KubeconfigMap{YAML::Node(YAML::NodeType::Map), file.file};
            if (!entry[kind].IsMap())
                refuse_type(entry[kind], kind, "a map");
            return KubeconfigMap{entry[kind], file.file};
        }
    return std::nullopt;
}

std::string KubeconfigFiles::names_in(const char* list) const
{
    std::string names;
    for (const KubeconfigMap& file : files_)
        for (const YAML::Node& entry : entries_of(file.map, list))
            if (entry.IsMap())
                append_item(names, in_quotes(k8s::text_of(entry, "name")));
    return "its " + std::string(list) + ": " + (names.empty() ? "none" : names);
}

} // namespace routelet::k8s
