#pragma once
#include "controller/cause.h"
#include "controller/egress_plan.h"
#include "controller/finding.h"
#include "controller/log.h"
#include "controller/masquerade_table.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// Keeps the masquerade table what it should be, and says in the log what it did and why.
//
// Nothing is written before the first want(). A table that an earlier run left is kept when it is as it
// should be. What changes in want() is changed element by element; what somebody else changed is written
// anew, whole, at once, unless that happens again and again: then it waits longer and longer in between. What
// fails is tried again after 1 to 60 s. Without masquerade the table is removed if it is there, and that is
// all. Not thread-safe; calls block for as long as the kernel works.
class Egress {
public:
    using Clock = Cause::Clock;

    Egress(MasqueradeTable& table, const Log& log, bool masquerade)
        : table_(table), log_(log), masquerade_(masquerade)
    {
    }

    // What the table is to hold. Empty while that is not known: the table stays as it is.
    void want(std::optional<EgressSets> sets);
    // The table may have changed: the next act() reads it back. `by`: who did it, where that is known.
    void doubt(std::string by = {});
    // The same when there is no sign that it did, only none that it did not: at most once a second.
    void doubt_after_loss();

    // Does what is to be done at this time.
    void act(const Cause& cause, Clock::time_point now);
    // When act() is to be called though nothing happens; empty: not at all.
    std::optional<Clock::time_point> due() const;

    // masquerade-unavailable, masquerade-failed, masquerade-fight.
    std::vector<Finding> findings() const;

private:
    void read_back(const Cause& cause, Clock::time_point now);
    void write(const std::string& difference, const Cause& cause, Clock::time_point now);
    void change(const Cause& cause, Clock::time_point now);
    void remove(const Cause& cause, Clock::time_point now);
    void count_restoration(Clock::time_point now);
    void fail(const char* code, const Error& error, const char* remedy, Clock::time_point now);
    void succeed();
    void end_fight_when_quiet(Clock::time_point now);
    bool is_fight() const noexcept;
    Finding fight() const;

    MasqueradeTable& table_;
    const Log& log_;
    bool masquerade_;

    std::optional<EgressSets> wanted_;
    std::optional<EgressSets> written_; // what the table held when it was last written or read back
    bool doubted_ = false;              // and may not hold any more
    bool removed_ = false;              // without masquerade: there is nothing left to do
    std::string by_;

    Clock::time_point wait_until_{}; // for a reading back or a writing
    Clock::time_point last_read_back_{};

    std::optional<Finding> failure_;
    std::chrono::seconds retry_in_{1};

    int restorations_ = 0; // without a quiet time in between
    Clock::time_point last_restoration_{};
};

} // namespace routelet::controller
