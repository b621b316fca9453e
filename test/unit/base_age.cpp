#include "base/age.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace std::chrono_literals;

TEST_CASE("ages are written as kubectl writes them", "[age]")
{
    struct Row {
        std::chrono::seconds age;
        std::string text;
    };
    constexpr std::chrono::seconds day = 24h;
    const auto row = GENERATE_COPY(values<Row>({{-5s, "0s"},
                                                {0s, "0s"},
                                                {119s, "119s"},
                                                {2min, "2m"},
                                                {5min + 30s, "5m30s"},
                                                {10min + 59s, "10m"},
                                                {2h + 59min, "179m"},
                                                {3h, "3h"},
                                                {3h + 5min, "3h5m"},
                                                {8h + 5min, "8h"},
                                                {47h, "47h"},
                                                {48h, "2d"},
                                                {2 * day + 2h + 5min, "2d2h"},
                                                {8 * day + 2h, "8d"},
                                                {729 * day, "729d"},
                                                {730 * day, "2y"},
                                                {800 * day, "2y70d"},
                                                {3000 * day, "8y"}}));
    CAPTURE(row.age.count());
    CHECK(to_age(row.age) == row.text);
}
