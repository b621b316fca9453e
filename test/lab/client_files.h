#pragma once
#include <filesystem>
#include <string>

// What a client needs to come in, as files for it to read.
namespace routelet::lab {

constexpr auto admin_name = "routelet-lab-admin";
constexpr auto agent_name = "system:serviceaccount:routelet:routelet";

// The token file's first entry for this user. Makes the file, with a token for each of the two above, when it
// is not there.
std::string token_of(const std::filesystem::path& tokens, const std::string& user);

void write_kubeconfig(const std::filesystem::path& file, const std::string& url,
                      const std::filesystem::path& ca, const std::string& token);

} // namespace routelet::lab
