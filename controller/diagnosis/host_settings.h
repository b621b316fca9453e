#pragma once
#include <filesystem>
#include <string>

namespace routelet::controller {

// What other programs on this machine are set to do with routes and links, by their files.

struct NetworkdSettings {
    enum class Effect { not_there, keeps_routes, removes_routes, not_visible };
    Effect effect = Effect::not_visible;
    std::string where{}; // the file that says so; empty: the default
};
// systemd-networkd removes routes that it did not make when it sets up a link anew, unless
// ManageForeignRoutes is off (networkd.conf(5)); drop-ins count over the file, those later by name over those
// before.
//
// `root`: where the machine's root directory is. not_visible where that has no /etc/os-release: in a
// container of an image that is not the machine's.
NetworkdSettings read_networkd(const std::filesystem::path& root);

struct NetworkManagerSettings {
    enum class Effect { not_there, leaves_alone, manages, not_visible };
    Effect effect = Effect::not_visible;
};
// Whether NetworkManager runs and is not told to leave that link alone: unmanaged-devices with
// interface-name:LINK, as a name or with * at its end (NetworkManager.conf(5)).
NetworkManagerSettings read_network_manager(const std::filesystem::path& root, const std::string& link);

} // namespace routelet::controller
