#pragma once
#include "test/support/netns_fixture.h"

#include <cstdlib>
#include <iostream>

namespace routelet::test {

// Whether iptables-legacy and the kernel's tables for it are there, tried in a namespace of its own. Where
// they are not, the test is skipped, and says so.
inline bool has_legacy_tables()
{
    const bool has_them = in_netns(another_netns(), [] {
        return std::system("iptables-legacy -S >/dev/null 2>&1 && ip6tables-legacy -S >/dev/null 2>&1") == 0;
    });
    if (!has_them)
        std::cout << "test skipped: no iptables-legacy, or none that this kernel has tables for\n";
    return has_them;
}

} // namespace routelet::test
