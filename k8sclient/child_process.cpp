#include "k8sclient/child_process.h"

#include "base/unique_fd.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;

constexpr std::size_t errors_limit = 4096; // bytes

// A process that has not been waited for, and all that it starts in its group: killed with this object.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child()
    {
        if (pid_ < 0)
            return;
        (void)::kill(-pid_, SIGKILL); // it may have ended by itself
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    // Of a process that has ended.
    Result<int> exit_status()
    {
        int status = 0;
        const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
        if (ended != pid_)
            return last_errno("its exit status is lost");
        pid_ = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_;
};

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

Result<Pipe> make_pipe()
{
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return last_errno("making a pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The texts as exec(3) wants them: valid as long as `texts`.
std::vector<char*> pointers_to(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (std::string& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

// Asio opens its descriptors without O_CLOEXEC, so the child closes all that it does not need.
Result<pid_t> start(ChildRequest& request, int output, int errors)
{
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);

    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);

    request.arguments.insert(request.arguments.begin(), request.program);
    const std::vector<char*> arguments = pointers_to(request.arguments);
    const std::vector<char*> environment = pointers_to(request.environment);
    pid_t pid = -1;
    const int failed = ::posix_spawnp(&pid, request.program.c_str(), &files, &attributes, arguments.data(),
                                      environment.data());
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        return Error{{failed, boost::system::generic_category()}, "starting it"};
    return pid;
}

// What comes out of one of the child's ends.
struct Outlet {
    asio::posix::stream_descriptor from;
    std::size_t limit;
    std::array<char, 4096> piece{};
    std::string text = {};
    bool overflowed = false;

    void take(std::size_t size)
    {
        const std::size_t room = limit - text.size();
        text.append(piece.data(), std::min(size, room));
        overflowed |= size > room;
    }
};

// A child at work. Its handlers live as long as they have something to wait for; `over` wakes the coroutine.
struct Run : std::enable_shared_from_this<Run> {
    Outlet output;
    Outlet errors;
    asio::posix::stream_descriptor process; // readable once the child has ended
    asio::steady_timer over;
    bool has_ended = false;

    Run(const asio::any_io_executor& executor, int output_fd, int errors_fd, int process_fd,
        std::size_t limit)
        : output{{executor, output_fd}, limit}, errors{{executor, errors_fd}, errors_limit},
          process(executor, process_fd), over(executor)
    {
    }

    void start()
    {
        read(output);
        read(errors);
        process.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](Code failed) {
                               if (failed)
                                   return;
                               self->has_ended = true;
                               self->over.cancel();
                           });
    }
    void read(Outlet& outlet)
    {
        outlet.from.async_read_some(asio::buffer(outlet.piece),
                                    [self = shared_from_this(), &outlet](Code code, std::size_t size) {
                                        if (code)
                                            return;
                                        outlet.take(size);
                                        if (self->output.overflowed)
                                            self->over.cancel();
                                        else
                                            self->read(outlet);
                                    });
    }
    // What the child had written before its end. A grandchild may keep the pipe open for ever.
    static void drain(Outlet& outlet)
    {
        Code code;
        outlet.from.cancel(code);
        outlet.from.non_blocking(true, code);
        while (!code && !outlet.overflowed) {
            const std::size_t size = outlet.from.read_some(asio::buffer(outlet.piece), code);
            outlet.take(size);
        }
    }
    void close()
    {
        Code ignored; // nothing is left to be done with them
        for (auto* descriptor : {&output.from, &errors.from, &process})
            descriptor->close(ignored);
    }
};

struct CloseAtEnd {
    Run& run;
    ~CloseAtEnd() { run.close(); }
};

} // namespace

asio::awaitable<Result<ChildEnd>> run_child(asio::any_io_executor executor, ChildRequest request)
{
    Result<Pipe> output = make_pipe();
    if (!output)
        co_return output.error();
    Result<Pipe> errors = make_pipe();
    if (!errors)
        co_return errors.error();
    const Result<pid_t> pid = start(request, output->write_end.fd(), errors->write_end.fd());
    if (!pid)
        co_return pid.error();
    Child child(*pid);
    output->write_end.reset();
    errors->write_end.reset();
    // The wrapper of glibc 2.36 (Debian 12) has C++ linkage in its header, and C in its library.
    UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    if (!process)
        co_return last_errno("watching it");

    const auto run = std::make_shared<Run>(executor, output->read_end.release(), errors->read_end.release(),
                                           process.release(), request.output_limit);
    const CloseAtEnd close_at_end{*run};
    run->over.expires_after(request.patience);
    run->start();
    const auto await_result = asio::as_tuple(asio::use_awaitable);
    (void)co_await run->over.async_wait(await_result); // what it was is in *run
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);

    if (run->has_ended) {
        Run::drain(run->output);
        Run::drain(run->errors);
    }
    if (run->output.overflowed)
        co_return make_error(boost::system::errc::file_too_large,
                             "it wrote more than " + std::to_string(request.output_limit) + " bytes");
    if (!run->has_ended)
        co_return make_error(boost::system::errc::timed_out,
                             "it did not end within " + std::to_string(request.patience.count()) + " ms");
    const Result<int> status = child.exit_status();
    if (!status)
        co_return status.error();
    co_return ChildEnd{*status, std::move(run->output.text), std::move(run->errors.text)};
}

} // namespace routelet::k8s
