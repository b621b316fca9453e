#pragma once
#include "test/lab/json.h"

#include <chrono>
#include <string>
#include <vector>

namespace routelet::lab {

// Server-side printing: the Table (meta.k8s.io/v1) that kubectl prints for objects of this kind. Its
// metadata is the caller's to fill.
Json table(const std::string& kind, const std::vector<const Json*>& objects,
           std::chrono::system_clock::time_point now);

// "45s", "3m7s", "2h", "5d3h": how kubectl prints an age (apimachinery duration.HumanDuration).
std::string human_duration(std::chrono::seconds age);

} // namespace routelet::lab
