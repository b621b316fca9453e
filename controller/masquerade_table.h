#pragma once
#include "base/result.h"
#include "controller/egress_plan.h"
#include "netlink/nftables.h"

#include <optional>
#include <string>

namespace routelet::controller {

// The agent's nftables table `inet routelet`, all of it Routelet's. The plugin has another, for host ports.
inline constexpr const char* masquerade_table_name = "routelet";

// The table as it should be: sets pods4, pods6, exempt4 and exempt6, and chain postrouting (nat, srcnat) with
// three rules. The first leaves to kube-proxy what it has marked; IPv6 has the second with pods6 and exempt6.
//
//     meta mark & 0x4000 == 0x4000 return
//     ip saddr @pods4 ip daddr != @exempt4 masquerade fully-random
netlink::NftTable masquerade_table(const EgressSets& sets);

// What Egress asks of the kernel, and nothing else: tests put a recorder here.
class MasqueradeTable {
public:
    virtual ~MasqueradeTable() = default;

    // How the kernel's differs from what it should be, in a few words; empty when it does not.
    virtual Result<std::string> difference(const EgressSets& sets) = 0;
    // All of it anew, whatever is there, in one step.
    virtual Result<> write(const EgressSets& sets) = 0;
    // The elements that differ, in one step. Returns how many ranges that were.
    virtual Result<std::size_t> change(const EgressSets& from, const EgressSets& to) = 0;
    virtual Result<bool> remove() = 0;
};

// The kernel of the network namespace that the calling thread was in at the first call. Opens its socket when
// it is first used: a kernel without nfnetlink makes every call fail with protocol_not_supported.
class NftMasqueradeTable : public MasqueradeTable {
public:
    Result<std::string> difference(const EgressSets& sets) override;
    Result<> write(const EgressSets& sets) override;
    Result<std::size_t> change(const EgressSets& from, const EgressSets& to) override;
    Result<bool> remove() override;

    // By which notifications tell our changes; empty before the first call.
    std::optional<std::uint32_t> port() const noexcept;

private:
    Result<netlink::Socket*> socket();

    std::optional<netlink::Socket> socket_;
};

} // namespace routelet::controller
