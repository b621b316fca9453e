// A kubeconfig, or several that are merged: a zero byte stands between them. It lies in a folder where there
// are also files for it to name, good ones and such as nobody should wait for.
#include "base/join.h"
#include "k8sclient/config.h"
#include "k8sclient/exec_credential.h"
#include "test/fuzz/target.h"
#include "test/lab/certificate.h"
#include "test/support/temporary_directory.h"

#include <yaml-cpp/yaml.h>

#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

using namespace routelet;
using fuzz::require;
namespace fs = std::filesystem;

// In place of the C library's: k8sclient/child_process calls it, and nothing else here.
extern "C" int posix_spawnp(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                            char* const[], char* const[])
{
    require(false, "loading a kubeconfig runs no program");
    return 0;
}

namespace {

void write(const fs::path& file, std::string_view content)
{
    std::ofstream stream(file, std::ios::binary);
    stream << content;
    stream.close();
    if (!stream)
        throw std::runtime_error("cannot write " + file.string());
}

struct Folder {
    test::TemporaryDirectory directory;

    Folder()
    {
        const fs::path& path = directory.path;
        fs::create_directory(path / "identity");
        const lab::Identity identity = lab::identity_in(path / "identity", {"localhost"});
        fs::copy_file(identity.ca, path / "ca.crt");
        fs::copy_file(identity.certificate, path / "client.crt");
        fs::copy_file(identity.key, path / "client.key");
        write(path / "token", "S3cret.of.a.file\n");
        write(path / "empty", "");
        fs::create_directory(path / "folder");
        fs::create_symlink("/dev/zero", path / "zero");
        if (::mkfifo((path / "fifo").c_str(), 0600) != 0)
            throw std::runtime_error("cannot make a FIFO in " + path.string());
        write(path / "huge", "");
        fs::resize_file(path / "huge", std::uintmax_t{10} << 30U); // a hole: takes no place
        ::unsetenv("HTTPS_PROXY");                                 // what a cluster without proxy-url gets
        ::unsetenv("https_proxy");
    }
};

// Whether the mark of secrets stands anywhere but where a secret belongs; true too when that is not known.
class MarkSearch {
public:
    bool is_elsewhere(const std::vector<std::string>& files)
    {
        for (const std::string& file : files) {
            try {
                visit(YAML::Load(file), "", 0);
            } catch (const YAML::Exception&) {
                // Then its error is all that there is, and quotes nothing.
            }
        }
        return found_ || left_ == 0;
    }

private:
    void visit(const YAML::Node& node, const std::string& key, int depth)
    {
        if (left_ == 0 || depth > 64) { // an alias may lead back
            left_ = 0;
            return;
        }
        --left_;
        if (node.IsMap()) {
            for (const auto& member : node) {
                visit(member.first, "", depth + 1);
                visit(member.second, member.first.Scalar(), depth + 1);
            }
        } else if (node.IsSequence()) {
            for (const auto& entry : node)
                visit(entry, key, depth + 1);
        } else if (node.IsScalar()) {
            visit_text(node.Scalar(), key);
        }
    }

    void visit_text(const std::string& text, const std::string& key)
    {
        static constexpr std::array<std::string_view, 6> secret = {
            "token", "password", "client-key-data", "client-certificate-data", "proxy-url", "value"};
        const bool is_secret = std::ranges::find(secret, key) != secret.end() ||
                               (key == "server" && text.find('@') != std::string::npos);
        if (!is_secret && text.find(fuzz::secret_mark) != std::string::npos)
            found_ = true;
    }

    bool found_ = false;
    int left_ = 10'000; // values to look at
};

bool is_printable(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

void check_config(const k8s::ClusterConfig& config)
{
    require(!config.host.empty() && config.port != 0, "a server has a host and a port");
    require(is_printable(config.host + config.path_prefix), "host and path can stand in an HTTP header");
    require(is_printable(config.token.reveal()), "a token can stand in an HTTP header");
    const int ways = (config.token.empty() ? 0 : 1) + (config.user.empty() ? 0 : 1) + (config.exec ? 1 : 0);
    require(ways <= 1, "there is one way to say who we are");
    require(config.client_certificate.empty() == config.client_key.empty(),
            "a certificate comes with its key");
    require(config.ca.empty() || !config.skip_tls_verify, "a CA that was given is used");
    for (const auto& [name, value] : config.headers) {
        require(is_printable(value), "who is impersonated can stand in an HTTP header");
        require(is_printable(name) && name.find_first_of(" :\"(),/;<=>?@[\\]{}") == std::string::npos,
                "the name of a header is a token (RFC 9110 section 5.6.2)");
    }
    if (!config.exec)
        return;
    require(!config.exec->command.empty(), "a credential plugin has a command");
    (void)k8s::plugin_information(*config.exec, config); // fails when the CA cannot be read
}

std::vector<std::string> files_in(std::string_view input)
{
    std::vector<std::string> files;
    do {
        const std::size_t end = std::min(input.find('\0'), input.size());
        files.emplace_back(input.substr(0, end));
        input.remove_prefix(std::min(end + 1, input.size()));
    } while (!input.empty() && files.size() < 3);
    return files;
}

Result<k8s::ClusterConfig> load(const fs::path& folder, const std::vector<std::string>& files)
{
    std::string list;
    for (const std::string& file : files) {
        const fs::path path = folder / ("config" + std::to_string(list.size()));
        write(path, file);
        append_item(list, path.string(), ":");
    }
    return files.size() == 1 ? k8s::load_kubeconfig(list) : k8s::load_kubeconfig_list(list);
}

void check(std::string_view input)
{
    static const Folder folder;
    const std::vector<std::string> files = files_in(input);
    const auto config = load(folder.directory.path, files);
    const std::string shown = config ? config->origin + config->urls() : config.error().text();
    require(!shown.empty(), "a failure says why");
    // A fuzzer's timer interrupts what waits before it counts as hung.
    require(config || config.error().code != boost::system::errc::interrupted, "loading waits for nobody");
    require(shown.find(fuzz::secret_mark) == std::string::npos || MarkSearch().is_elsewhere(files),
            "no secret is in what is shown");
    if (config)
        check_config(*config);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    try {
        check(fuzz::text_of(data, size));
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        require(false, "loading a kubeconfig throws nothing");
    }
    return 0;
}
