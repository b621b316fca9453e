#pragma once
#include <chrono>
#include <string>

namespace routelet {

// How long ago something was, as kubectl's column AGE writes it (k8s.io/apimachinery,
// duration.HumanDuration): "45s", "5m30s", "2h", "3d4h", "200d", "3y". Of a time to come "0s".
std::string to_age(std::chrono::seconds duration);

} // namespace routelet
