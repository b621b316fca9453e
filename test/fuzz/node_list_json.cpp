#include "test/fuzz/node_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    fuzz::check_list(k8s::Encoding::json, fuzz::cut_body(fuzz::text_of(data, size)));
    return 0;
}
