#pragma once
#include "controller/kernel.h"
#include "test/support/chance.h"

#include <functional>

namespace routelet::test {

// The kernel, but things happen between a dump and the changes that it leads to, dumps fail or miss routes,
// and answers get lost.
class UnreliableKernel : public controller::Kernel {
public:
    UnreliableKernel(controller::Kernel& kernel, Chance& chance) : kernel_(kernel), chance_(chance) {}

    // While set: called now and then after a dump was read and before changes are made.
    std::function<void()> meanwhile;
    bool is_troubled = false;
    // Whether anything of this has happened.
    bool had_trouble = false;

    Result<controller::KernelState> read() override
    {
        if (is_troubled && chance_.one_in(4)) {
            had_trouble = true;
            return make_error(boost::system::errc::interrupted, "listing routes");
        }
        auto state = kernel_.read();
        if (state && is_troubled && chance_.one_in(4)) {
            had_trouble = true;
            std::erase_if(state->routes, [&](const netlink::Route& route) {
                return controller::RouteIdentity{}.owns(route) && chance_.one_in(2);
            });
        }
        interfere();
        return state;
    }

    std::vector<Result<>> apply(const std::vector<controller::RouteChange>& changes) override
    {
        interfere();
        auto results = kernel_.apply(changes);
        for (auto& result : results)
            if (is_troubled && chance_.one_in(4)) {
                had_trouble = true;
                result = make_error(boost::system::errc::timed_out, "the kernel's answer did not come");
            }
        return results;
    }

    Result<> enable_ipv4_forwarding(netlink::IfIndex link) override
    {
        return kernel_.enable_ipv4_forwarding(link);
    }

private:
    void interfere()
    {
        if (!is_troubled || !meanwhile || !chance_.one_in(4))
            return;
        had_trouble = true;
        meanwhile();
    }

    controller::Kernel& kernel_;
    Chance& chance_;
};

} // namespace routelet::test
