#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>

namespace routelet::test {

// What the coroutine returns, or throws. It is cancelled after `time`.
template <class T>
T run_for(boost::asio::io_context& loop, boost::asio::awaitable<T> coroutine, std::chrono::milliseconds time)
{
    std::optional<T> value;
    std::exception_ptr failure;
    bool ended = false;
    boost::asio::cancellation_signal stop;
    boost::asio::co_spawn(
        loop, std::move(coroutine),
        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr thrown, T result) {
            failure = thrown;
            value.emplace(std::move(result));
            ended = true;
        }));
    loop.restart();
    const auto end = std::chrono::steady_clock::now() + time;
    while (!ended && std::chrono::steady_clock::now() < end)
        loop.run_one_until(end);
    if (!ended)
        stop.emit(boost::asio::cancellation_type::terminal);
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!ended && std::chrono::steady_clock::now() < last)
        loop.run_one_until(last);
    if (!ended)
        throw std::runtime_error("the coroutine does not end");
    if (failure)
        std::rethrow_exception(failure);
    return std::move(*value);
}

template <class T>
T run(boost::asio::io_context& loop, boost::asio::awaitable<T> coroutine)
{
    return run_for(loop, std::move(coroutine), std::chrono::seconds(60));
}

} // namespace routelet::test
