#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace routelet::test {

// Choices that a seed decides: the same seed makes the same ones.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : source_(seed) {}

    // From [least, most].
    int number(int least, int most) { return std::uniform_int_distribution<int>(least, most)(source_); }
    bool one_in(int many) { return number(1, many) == 1; }
    template <class T>
    T one_of(std::initializer_list<T> them)
    {
        return them.begin()[number(0, static_cast<int>(them.size()) - 1)];
    }
    // Requires: not empty.
    template <class T>
    const T& one_of(const std::vector<T>& them)
    {
        return them[static_cast<std::size_t>(number(0, static_cast<int>(them.size()) - 1))];
    }
    template <class T>
    void shuffle(std::vector<T>& them)
    {
        std::shuffle(them.begin(), them.end(), source_);
    }

private:
    std::mt19937_64 source_;
};

} // namespace routelet::test
