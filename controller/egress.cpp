#include "controller/egress.h"

#include <algorithm>

namespace routelet::controller {
namespace {

namespace errc = boost::system::errc;
using std::chrono::seconds;

constexpr int free_restorations = 3; // so many at once, then with pauses
constexpr seconds longest_pause{30}; // between restorations
constexpr seconds quiet{60};         // so long without one, and the fight is over
constexpr seconds longest_retry{60}; // after failures
constexpr seconds loss_interval{1};  // between readings back after losses

constexpr const char* unavailable = "masquerade-unavailable";
constexpr const char* failed = "masquerade-failed";
constexpr const char* unavailable_remedy = "load the kernel modules nf_tables, nft_chain_nat and nft_masq; "
                                           "or give --masquerade=false and let something "
                                           "else masquerade";
constexpr const char* failed_remedy =
    "as error says; until then pods may not reach addresses outside the cluster";

bool lacks_nf_tables(const Error& error)
{
    return error.code == errc::protocol_not_supported || error.code == errc::operation_not_supported;
}

} // namespace

void Egress::want(std::optional<EgressSets> sets)
{
    if (sets)
        wanted_ = std::move(sets);
}

void Egress::doubt(std::string by)
{
    doubted_ = true;
    if (!by.empty())
        by_ = std::move(by);
}

void Egress::doubt_after_loss()
{
    doubted_ = true;
    wait_until_ = std::max(wait_until_, last_read_back_ + loss_interval);
}

void Egress::act(const Cause& cause, Clock::time_point now)
{
    end_fight_when_quiet(now);
    if (now < wait_until_)
        return;
    if (!masquerade_)
        return remove(cause, now);
    if (!wanted_)
        return;
    if (!written_ || doubted_ || failure_)
        read_back(cause, now);
    else if (*written_ != *wanted_)
        change(cause, now);
}

std::optional<Egress::Clock::time_point> Egress::due() const
{
    std::optional<Clock::time_point> when;
    const bool waits = masquerade_ ? wanted_ && (doubted_ || failure_ || written_ != wanted_) : !removed_;
    if (waits)
        when = wait_until_;
    if (is_fight())
        when = std::min(when.value_or(Clock::time_point::max()), last_restoration_ + quiet);
    return when;
}

std::vector<Finding> Egress::findings() const
{
    std::vector<Finding> findings;
    if (failure_)
        findings.push_back(*failure_);
    if (is_fight())
        findings.push_back(fight());
    return findings;
}

// What it should be is what we last knew it to be: a change that nobody could see yet comes after.
void Egress::read_back(const Cause& cause, Clock::time_point now)
{
    last_read_back_ = now;
    const auto difference = table_.difference(written_ ? *written_ : *wanted_);
    if (!difference && lacks_nf_tables(difference.error()))
        return fail(unavailable, difference.error(), unavailable_remedy, now);
    if (!difference)
        return fail(failed, difference.error(), failed_remedy, now);
    if (!difference->empty())
        return write(*difference, cause, now);

    succeed();
    doubted_ = false;
    by_.clear();
    if (!written_) {
        written_ = wanted_;
        log_.write(LogLine(LogLevel::info, "masquerade-ready")
                       .with("pods", written_->pods.size())
                       .with("exempt", written_->exempt.size())
                       .with("kept", true)
                       .with("took_ms", cause.took_ms()));
    } else if (*written_ != *wanted_) {
        change(cause, now);
    }
}

void Egress::write(const std::string& difference, const Cause& cause, Clock::time_point now)
{
    const auto done = table_.write(*wanted_);
    // Everything that a rule names is written with it: what is not found is a module.
    if (!done && (lacks_nf_tables(done.error()) || done.error().code == errc::no_such_file_or_directory))
        return fail(unavailable, done.error(), unavailable_remedy, now);
    if (!done)
        return fail(failed, done.error(), failed_remedy, now);

    succeed();
    const bool first = !written_;
    written_ = wanted_;
    doubted_ = false;
    LogLine line(LogLevel::info, first ? "masquerade-ready" : "masquerade-restored");
    line.add("pods", written_->pods.size());
    line.add("exempt", written_->exempt.size());
    if (first)
        line.add("kept", false);
    line.add("found", difference);
    if (!by_.empty())
        line.add("by", by_);
    line.add("cause", cause.what);
    line.add("took_ms", cause.took_ms());
    log_.write(line);
    by_.clear();
    if (!first)
        count_restoration(now);
}

void Egress::change(const Cause& cause, Clock::time_point now)
{
    const auto changed = table_.change(*written_, *wanted_);
    if (!changed) // nobody knows what it holds, so all of it
        return write(changed.error().text(), cause, now);
    written_ = wanted_;
    log_.write(LogLine(LogLevel::debug, "masquerade-updated")
                   .with("ranges", *changed)
                   .with("cause", cause.what)
                   .with("took_ms", cause.took_ms()));
}

void Egress::remove(const Cause& cause, Clock::time_point now)
{
    if (removed_)
        return;
    const auto gone = table_.remove();
    if (!gone)
        return fail(failed, gone.error(), "remove it with: nft delete table inet routelet", now);
    succeed();
    removed_ = true;
    if (*gone)
        log_.write(LogLine(LogLevel::info, "masquerade-removed")
                       .with("detail", "an earlier run's table inet routelet: --masquerade is off now")
                       .with("took_ms", cause.took_ms()));
}

void Egress::count_restoration(Clock::time_point now)
{
    const bool was_fight = is_fight();
    ++restorations_;
    last_restoration_ = now;
    if (!is_fight())
        return;
    const int doublings = std::min(restorations_ - free_restorations - 1, 5);
    wait_until_ = now + std::min(seconds(1 << doublings), longest_pause);
    if (!was_fight)
        log_.write(LogLine(LogLevel::warn, fight().code)
                       .with("detail", fight().detail)
                       .with("remedy", fight().remedy));
}

bool Egress::is_fight() const noexcept
{
    return restorations_ > free_restorations;
}

Finding Egress::fight() const
{
    return {.code = "masquerade-fight",
            .detail = "somebody changes nftables table inet routelet again and again",
            .remedy =
                "find out who with: nft monitor; let it leave this table alone, or give --masquerade=false"};
}

// A restoration after a quiet time is the first of a new series.
void Egress::end_fight_when_quiet(Clock::time_point now)
{
    if (restorations_ == 0 || now < last_restoration_ + quiet)
        return;
    if (is_fight())
        log_.write(LogLine(LogLevel::info, "masquerade-recovered").with("from", fight().code));
    restorations_ = 0;
}

// Told when it is new.
void Egress::fail(const char* code, const Error& error, const char* remedy, Clock::time_point now)
{
    Finding failure{.code = code, .detail = error.text(), .remedy = remedy};
    if (failure_ != failure)
        log_.write(LogLine(LogLevel::warn, failure.code)
                       .with("error", failure.detail)
                       .with("remedy", failure.remedy));
    failure_ = std::move(failure);
    wait_until_ = now + retry_in_;
    retry_in_ = std::min(retry_in_ * 2, longest_retry);
}

void Egress::succeed()
{
    retry_in_ = seconds(1);
    if (failure_)
        log_.write(LogLine(LogLevel::info, "masquerade-recovered").with("from", failure_->code));
    failure_.reset();
}

} // namespace routelet::controller
