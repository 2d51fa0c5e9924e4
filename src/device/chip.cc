#include "device/chip.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>

#include "device/internal/probe_message.h"

extern char** environ;

namespace switchyard::device {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::string_view kPrefix = "switchyard_chip_";
constexpr std::string_view kSuffix = ".so";

void PrintFromPlugin(sy_log_level level, const char* sentence) {
  if (level >= SY_LOG_WARNING) std::fprintf(stderr, "switchyard: chip: %s\n", sentence);
}

// A plugin is never unloaded, so the host that it was given is kept for the life of the process. A
// folder that cannot be made costs time, no more.
const sy_host* HostWith(const std::filesystem::path& cache_folder) {
  struct Kept {
    std::string cache_folder;
    sy_host host;
  };
  static std::mutex mutex;
  static std::deque<Kept> all;
  std::error_code error;
  if (!cache_folder.empty()) std::filesystem::create_directories(cache_folder, error);
  const std::lock_guard lock(mutex);
  Kept& kept = all.emplace_back(error ? std::string() : cache_folder.string(), sy_host{});
  kept.host = {sizeof(sy_host), SY_INTERFACE_VERSION, &PrintFromPlugin, kept.cache_folder.c_str()};
  return &kept.host;
}

std::string NameOf(const std::filesystem::path& plugin) {
  std::string name = plugin.filename().string();
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  if (name.ends_with(kSuffix)) name.erase(name.size() - kSuffix.size());
  return name;
}

// The table's required slots; the optional ones may be null or beyond struct_size.
const char* MissingSlot(const sy_chip_api& api) {
#define SWITCHYARD_REQUIRE(slot) \
  if (api.slot == nullptr) return #slot
  SWITCHYARD_REQUIRE(name);
  SWITCHYARD_REQUIRE(device_count);
  SWITCHYARD_REQUIRE(device_properties);
  SWITCHYARD_REQUIRE(device_open);
  SWITCHYARD_REQUIRE(device_close);
  SWITCHYARD_REQUIRE(memory_available);
  SWITCHYARD_REQUIRE(buffer_create);
  SWITCHYARD_REQUIRE(buffer_destroy);
  SWITCHYARD_REQUIRE(queue_create);
  SWITCHYARD_REQUIRE(queue_destroy);
  SWITCHYARD_REQUIRE(queue_sync);
  SWITCHYARD_REQUIRE(upload);
  SWITCHYARD_REQUIRE(download);
  SWITCHYARD_REQUIRE(copy);
  SWITCHYARD_REQUIRE(fill);
  SWITCHYARD_REQUIRE(event_create);
  SWITCHYARD_REQUIRE(event_destroy);
  SWITCHYARD_REQUIRE(event_record);
  SWITCHYARD_REQUIRE(event_wait);
  SWITCHYARD_REQUIRE(event_sync);
  SWITCHYARD_REQUIRE(weight_create);
  SWITCHYARD_REQUIRE(weight_destroy);
  SWITCHYARD_REQUIRE(weight_properties);
  SWITCHYARD_REQUIRE(op_supported);
  SWITCHYARD_REQUIRE(program_create);
  SWITCHYARD_REQUIRE(program_destroy);
  SWITCHYARD_REQUIRE(program_properties);
  SWITCHYARD_REQUIRE(program_run);
  SWITCHYARD_REQUIRE(last_error);
#undef SWITCHYARD_REQUIRE
  return nullptr;
}

// A table of full size, with null for the slots that the plugin is too old to have.
sy_chip_api Widen(const sy_chip_api& given) {
  sy_chip_api wide = {};
  std::memcpy(&wide, &given, std::min<std::size_t>(given.struct_size, sizeof wide));
  return wide;
}

// Reads up to `size` bytes until the deadline; returns how many came.
std::size_t ReadUntil(int fd, void* to, std::size_t size,
                      std::chrono::steady_clock::time_point deadline, bool& timed_out) {
  std::size_t got = 0;
  while (got < size) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd, POLLIN, 0};
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      timed_out = true;
      break;
    }
    const ssize_t count = ::read(fd, static_cast<char*>(to) + got, size - got);
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

// Reaps the child, killing it at the deadline, and says how it ended.
std::string Reap(pid_t child, std::chrono::steady_clock::time_point deadline) {
  int status = 0;
  while (true) {
    const pid_t done = ::waitpid(child, &status, WNOHANG);
    if (done == child) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    ::usleep(1000);
  }
  if (WIFSIGNALED(status)) return fmt::format("was killed by {}", ::strsignal(WTERMSIG(status)));
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

}  // namespace

base::Result<Chip> Chip::Load(const std::filesystem::path& plugin,
                              const std::filesystem::path& cache_folder) {
  void* library = ::dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "cannot load chip plugin '{}': {}", plugin.string(),
                ::dlerror());
  }
  const auto entry = reinterpret_cast<sy_chip_entry>(::dlsym(library, SY_ENTRY_NAME));
  if (entry == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "'{}' is no chip plugin: it does not export {}",
                plugin.string(), SY_ENTRY_NAME);
  }
  const sy_chip_api* given = entry(HostWith(cache_folder));
  if (given == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition,
                "chip plugin '{}' refuses this host (interface version {}): use a plugin and a "
                "program of the same release",
                plugin.string(), SY_INTERFACE_VERSION);
  }
  if (given->oldest_host_version > SY_INTERFACE_VERSION) {
    return Fail(ErrorCode::kFailedPrecondition,
                "chip plugin '{}' needs interface version {} and this program has {}: update the "
                "program",
                plugin.string(), given->oldest_host_version, SY_INTERFACE_VERSION);
  }
  const sy_chip_api api = Widen(*given);
  if (const char* slot = MissingSlot(api); slot != nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "chip plugin '{}' lacks the required function {}",
                plugin.string(), slot);
  }
  return Chip(api);
}

base::Status Chip::Check(sy_status status, std::string_view doing) const {
  if (status == SY_OK) return {};
  const char* reason = api_.last_error();
  return Fail(static_cast<ErrorCode>(status), "chip '{}': {}: {}", name(), doing,
              reason == nullptr || *reason == '\0'
                  ? base::ErrorCodeName(static_cast<ErrorCode>(status))
                  : std::string_view(reason));
}

std::vector<std::filesystem::path> FindPlugins(std::span<const std::filesystem::path> folders) {
  std::vector<std::filesystem::path> plugins;
  std::set<std::string> names;
  for (const auto& folder : folders) {
    std::error_code ignored;  // a folder that is not there has no plugins
    std::vector<std::filesystem::path> here;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const std::string file = entry.path().filename().string();
      if (file.starts_with(kPrefix) && file.ends_with(kSuffix)) here.push_back(entry.path());
    }
    std::ranges::sort(here);
    for (auto& plugin : here) {
      if (names.insert(NameOf(plugin)).second) plugins.push_back(std::move(plugin));
    }
  }
  return plugins;
}

ProbedChip Probe(const std::filesystem::path& plugin, const ProbeOptions& options) {
  ProbedChip probed{plugin, NameOf(plugin), "", {}};
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    probed.problem = fmt::format("cannot make a pipe: {}", std::strerror(errno));
    return probed;
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  std::string program = options.prober.string();
  std::string argument = plugin.string();
  char* const argv[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int spawned = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  if (spawned != 0) {
    ::close(pipe_ends[0]);
    probed.problem = fmt::format("cannot start '{}': {}", program, std::strerror(spawned));
    return probed;
  }

  const auto deadline = std::chrono::steady_clock::now() + options.time_limit;
  bool timed_out = false;
  internal::ProbeHeader header;
  const bool has_header =
      ReadUntil(pipe_ends[0], &header, sizeof header, deadline, timed_out) == sizeof header &&
      header.magic == internal::ProbeHeader::kMagic;
  bool complete = false;
  if (has_header && header.failed != 0 && header.count <= internal::kMaxSentence) {
    std::string sentence(header.count, '\0');
    complete = ReadUntil(pipe_ends[0], sentence.data(), sentence.size(), deadline, timed_out) ==
               sentence.size();
    if (complete) probed.problem = std::move(sentence);
  } else if (has_header && header.failed == 0 && header.count <= internal::kMaxDevices) {
    probed.devices.resize(header.count);
    const std::size_t size = header.count * sizeof(sy_device_properties);
    complete = ReadUntil(pipe_ends[0], probed.devices.data(), size, deadline, timed_out) == size;
    if (!complete) probed.devices.clear();
  }
  ::close(pipe_ends[0]);
  if (!complete) ::kill(child, SIGKILL);
  const std::string end = Reap(child, deadline + std::chrono::seconds(1));
  if (timed_out) {
    probed.problem =
        fmt::format("did not answer within {} ms: its driver may hang", options.time_limit.count());
  } else if (!complete) {
    probed.problem = fmt::format("its probe {} without an answer", end);
  }
  return probed;
}

}  // namespace switchyard::device
