#include "k8sclient/endpoints.h"

#include <algorithm>
#include <random>
#include <stdexcept>

namespace routelet::k8s {

Endpoints::Endpoints(std::vector<Endpoint> all, std::uint64_t seed) : all_(std::move(all))
{
    if (all_.empty())
        throw std::logic_error("a cluster without an API server");
    std::mt19937_64 random(seed);
    std::ranges::shuffle(all_, random);
}

} // namespace routelet::k8s
