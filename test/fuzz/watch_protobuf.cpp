#include "test/fuzz/watch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    fuzz::check_watch(k8s::Encoding::protobuf, fuzz::cut_body(fuzz::text_of(data, size)));
    return 0;
}
