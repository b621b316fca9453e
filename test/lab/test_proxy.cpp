#include "test/lab/test_proxy.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <poll.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

namespace routelet::lab {
namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;
using asio::ip::tcp;

std::string read_exactly(tcp::socket& socket, std::size_t size)
{
    std::string bytes(size, '\0');
    Code ignored; // what did not come reads as zeroes
    asio::read(socket, asio::buffer(bytes), ignored);
    return bytes;
}

void write(tcp::socket& socket, const std::string& bytes)
{
    Code ignored; // the client sees that its connection ends
    asio::write(socket, asio::buffer(bytes), ignored);
}

// What is there of one socket's bytes, to the other; false at its end.
bool pass_on(tcp::socket& from, tcp::socket& to)
{
    std::array<char, 4096> piece{};
    Code code;
    const std::size_t size = from.read_some(asio::buffer(piece), code);
    if (!code)
        asio::write(to, asio::buffer(piece, size), code);
    return !code;
}

} // namespace

class TestProxy::Thread {
public:
    Thread(std::uint16_t leads_to, std::string refusal, std::string password)
        : leads_to_(leads_to), refusal_(std::move(refusal)), password_(std::move(password)),
          thread_([this] { serve(); })
    {
    }
    ~Thread()
    {
        is_over_ = true;
        thread_.join();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::vector<std::string> requests()
    {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    bool is_readable(int fd) const
    {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 5) == 1;
    }
    void serve()
    {
        while (!is_over_) {
            if (!is_readable(acceptor_.native_handle()))
                continue;
            tcp::socket client = acceptor_.accept();
            const std::string first = read_exactly(client, 1);
            const bool goes_through = first == "\5" ? greet_by_socks(client) : greet_by_http(client, first);
            if (goes_through)
                relay(client);
        }
    }
    void note(const std::string& request)
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
    }
    bool greet_by_http(tcp::socket& client, std::string head)
    {
        Code ignored;
        asio::read_until(client, asio::dynamic_buffer(head), "\r\n\r\n", ignored);
        note(head);
        write(client, refusal_.empty() ? "HTTP/1.1 200 Connection established\r\n\r\n" : refusal_);
        return refusal_.empty();
    }
    bool greet_by_socks(tcp::socket& client)
    {
        const std::string methods = read_exactly(client, 2); // how many, and the first
        const char wanted = password_.empty() ? '\0' : '\2';
        if (methods[1] != wanted) {
            write(client, "\5\xff");
            return false;
        }
        write(client, {'\5', wanted});
        if (!password_.empty()) {
            const std::string known =
                "\x01\x02me" + std::string(1, static_cast<char>(password_.size())) + password_;
            const bool is_known = read_exactly(client, known.size()) == known;
            write(client, is_known ? std::string{'\1', '\0'} : std::string{'\1', '\1'});
            if (!is_known)
                return false;
        }
        const std::string head = read_exactly(client, 5); // version, command, 0, kind, first byte
        std::string host;
        if (head[3] == '\3') {
            host = read_exactly(client, static_cast<unsigned char>(head[4]));
        } else {
            asio::ip::address_v4::bytes_type bytes{static_cast<unsigned char>(head[4])};
            const std::string rest = read_exactly(client, 3);
            std::copy(rest.begin(), rest.end(), bytes.begin() + 1);
            host = asio::ip::address_v4(bytes).to_string();
        }
        const std::string port = read_exactly(client, 2);
        note("socks5 " + host + ":" +
             std::to_string(static_cast<unsigned char>(port[0]) * 256 + static_cast<unsigned char>(port[1])));
        write(client, std::string{'\5', '\0', '\0', '\1', '\0', '\0', '\0', '\0', '\0', '\0'});
        return true;
    }
    void relay(tcp::socket& client)
    {
        tcp::socket server(io_);
        server.connect({asio::ip::make_address("127.0.0.1"), leads_to_});
        bool both_open = true;
        while (both_open && !is_over_) {
            if (is_readable(client.native_handle()))
                both_open = pass_on(client, server);
            if (both_open && is_readable(server.native_handle()))
                both_open = pass_on(server, client);
        }
    }

    asio::io_context io_;
    tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
    std::uint16_t leads_to_;
    std::string refusal_;
    std::string password_;
    std::mutex mutex_;
    std::vector<std::string> requests_;
    std::atomic<bool> is_over_ = false;
    std::thread thread_; // the last: it uses all of the above
};

TestProxy::TestProxy(std::uint16_t leads_to, std::string refusal, std::string password)
    : thread_(std::make_unique<Thread>(leads_to, std::move(refusal), std::move(password)))
{
}
TestProxy::~TestProxy() = default;

std::uint16_t TestProxy::port() const
{
    return thread_->port();
}

std::vector<std::string> TestProxy::requests() const
{
    return thread_->requests();
}

} // namespace routelet::lab
