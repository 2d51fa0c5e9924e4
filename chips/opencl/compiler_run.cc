#include "compiler_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

extern char** environ;

namespace switchyard::opencl {
namespace {

using base::ErrorCode;
using base::Fail;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostLog = 4000;

// Reads until the pipe's other end is closed or the deadline has passed; false for the latter.
bool ReadLog(int pipe, Clock::time_point deadline, std::string& log) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waited = {pipe, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left, 1000)));
    if (ready < 0 && errno != EINTR) return true;
    if (ready <= 0) continue;
    char bytes[1024];
    const ssize_t count = ::read(pipe, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    if (log.size() < kMostLog) log.append(bytes, static_cast<std::size_t>(count));
  }
}

std::string Ending(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace

base::Status RunCompiler(const CompilerRun& run) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kResourceExhausted, "no pipe to the compiler: {}", std::strerror(errno));
  }
  std::string program = run.program.string();
  std::vector<std::string> arguments = run.arguments;
  std::vector<char*> pointers = {program.data()};
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t child = 0;
  const int spawned =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (spawned != 0) {
    ::close(ends[0]);
    return Fail(ErrorCode::kFailedPrecondition, "'{}' cannot be started: {}", program,
                std::strerror(spawned));
  }
  std::string log;
  const bool in_time =
      ReadLog(ends[0], Clock::now() + std::chrono::milliseconds(run.time_limit_ms), log);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return Fail(ErrorCode::kDeadlineExceeded, "the compiler took more than {} ms",
                run.time_limit_ms);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  log.resize(std::min(log.size(), kMostLog));
  while (!log.empty() && (log.back() == '\n' || log.back() == ' ')) log.pop_back();
  return Fail(ErrorCode::kInternal, "the compiler {}: {}", Ending(status),
              log.empty() ? "it said nothing" : log);
}

}  // namespace switchyard::opencl
