#include "k8sclient/endpoints.h"

#include "test/support/catch.h"

#include <map>
#include <set>

using namespace routelet;

namespace {

const std::vector<k8s::Endpoint> three = {{"a", 6443}, {"b", 6443}, {"c", 7443}};

} // namespace

TEST_CASE("a server is stayed with until it is left, and after the last comes the first",
          "[k8sclient][endpoints]")
{
    k8s::Endpoints endpoints(three, 7);
    const k8s::Endpoint first = endpoints.current();
    CHECK(endpoints.current() == first);

    std::set<std::string> seen;
    for (int i = 0; i < 3; ++i) {
        seen.insert(endpoints.current().host);
        endpoints.leave_current();
    }
    CHECK(seen == std::set<std::string>{"a", "b", "c"});
    CHECK(endpoints.current() == first);
}

TEST_CASE("a single server is never left for another", "[k8sclient][endpoints]")
{
    k8s::Endpoints endpoints({{"a", 1}}, 7);
    endpoints.leave_current();
    CHECK(endpoints.current() == k8s::Endpoint{"a", 1});
}

TEST_CASE("agents spread over the servers, and over those that are left when one fails",
          "[k8sclient][endpoints]")
{
    std::map<std::string, int> first;
    std::map<std::string, int> after_a;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        k8s::Endpoints endpoints(three, seed);
        ++first[endpoints.current().host];
        if (endpoints.current().host != "a")
            continue;
        endpoints.leave_current();
        ++after_a[endpoints.current().host];
    }
    for (const char* host : {"a", "b", "c"})
        CHECK(first[host] > 60);
    CHECK(after_a["b"] > 20);
    CHECK(after_a["c"] > 20);
}
