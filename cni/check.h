#pragma once
#include "base/result.h"
#include "cni/attachment.h"
#include "cni/config.h"
#include "cni/environment.h"

#include <string>
#include <vector>

namespace routelet::cni {

// What CHECK compares: the world with what ADD reported.
struct Expectation {
    const AttachmentId& id;
    const std::string& netns;               // CNI_NETNS verbatim
    const PodNetwork& network;              // its `previous` has to be set
    const std::vector<IpAddress>& reserved; // what the address store says
};

// Whether the attachment works as ADD, and the plugins chained behind it, left it. What they or others added
// (addresses, routes) is no fault. Fails with attachment_differs, saying what differs and what to do.
Result<> check_attachment(Sides& sides, const Expectation& expected);

} // namespace routelet::cni
