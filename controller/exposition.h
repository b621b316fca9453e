#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace routelet::controller {

// Durations, counted by upper bound, in Prometheus' sense. One thread.
class Histogram {
public:
    static constexpr std::array<double, 16> bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                      0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                      1,      2.5,     5,      10}; // seconds

    // `times` durations of so many seconds.
    void observe(double seconds, std::uint64_t times = 1) noexcept;

    std::uint64_t count() const noexcept { return count_; }
    double sum() const noexcept { return sum_; } // seconds
    // How many were no longer than the bound of that place.
    std::uint64_t up_to(std::size_t place) const noexcept { return up_to_[place]; }

private:
    std::array<std::uint64_t, bounds.size()> up_to_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

// Metrics in Prometheus' text format 0.0.4 (Prometheus documentation, "Exposition formats"). Each family's
// samples follow its head, as the format wants it.
class Exposition {
public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
    static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

    // The family that the next samples are of.
    void gauge(std::string_view name, std::string_view help) { begin(name, help, "gauge"); }
    void counter(std::string_view name, std::string_view help) { begin(name, help, "counter"); }
    void histogram(std::string_view name, std::string_view help) { begin(name, help, "histogram"); }

    void sample(double value, Labels labels = {});
    void sample(const Histogram& histogram, Labels labels = {});

    const std::string& text() const noexcept { return text_; }

private:
    void begin(std::string_view name, std::string_view help, std::string_view type);
    void line(std::string_view suffix, Labels labels, std::string_view bound, double value);

    std::string name_;
    std::string text_;
};

} // namespace routelet::controller
