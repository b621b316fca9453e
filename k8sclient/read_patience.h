#pragma once
#include <chrono>

namespace routelet::k8s {

// How long the API server is waited for. A read that ends by it is made again, from where it was.
struct ReadPatience {
    std::chrono::milliseconds list{60'000};        // the next bytes of a list, or its head
    std::chrono::milliseconds whole_list{300'000}; // a page of a list, from its first byte to its last
    std::chrono::milliseconds watch_head{30'000};  // the server sends it at once
    std::chrono::milliseconds refusal{10'000};     // the server's words
    std::chrono::milliseconds bookmark{150'000};   // comes every minute from a server that sends them
    std::chrono::milliseconds watch_end{15'000};   // after the timeout that the server was asked for
};

} // namespace routelet::k8s
