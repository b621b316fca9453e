#pragma once
#include "controller/log.h"
#include "controller/table_keeper.h"

#include <filesystem>

namespace routelet::controller {

// What a TableKeeper keeps for the plugin.

// The ports of the node that lead to pods, as the plugin's records in `folder`, its "hostPortDir", say
// (cni/host_ports.h); it need not exist. host-ports-restored, host-ports-broken, host-ports-fight.
TableKeeper::Subject host_port_tables(std::filesystem::path folder, const Log& log);

// What keeps pods from sending from other addresses than their own, as the links say (cni/spoof_check.h).
// spoof-check-restored, spoof-check-broken, spoof-check-fight.
TableKeeper::Subject spoof_check_tables();

// Whether there are such tables; false where the kernel cannot say.
bool has_spoof_check_tables();

} // namespace routelet::controller
