#include "conformance/session.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

void Log(sy_log_level level, const char* sentence) {
  if (level >= SY_LOG_WARNING) std::fprintf(stderr, "chip: %s\n", sentence);
}

// A plugin is never unloaded, so the host that it was given is kept for the life of the process.
const sy_host* HostWith(const std::filesystem::path& cache_folder) {
  struct Kept {
    std::string cache_folder;
    sy_host host;
  };
  static std::mutex mutex;
  static std::deque<Kept> all;
  std::error_code ignored;  // without it kernels are compiled anew each time
  if (!cache_folder.empty()) std::filesystem::create_directories(cache_folder, ignored);
  const std::lock_guard lock(mutex);
  Kept& kept = all.emplace_back(cache_folder.string(), sy_host{});
  kept.host = {sizeof(sy_host), SY_INTERFACE_VERSION, &Log, kept.cache_folder.c_str()};
  return &kept.host;
}

}  // namespace

base::Result<sy_chip_api> LoadPlugin(const std::filesystem::path& plugin,
                                     const std::filesystem::path& cache_folder) {
  // A name without a slash would be looked for among the system's libraries.
  void* library = ::dlopen(std::filesystem::absolute(plugin).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Fail(ErrorCode::kNotFound, "cannot load '{}': {}", plugin.string(), ::dlerror());
  }
  const auto entry = reinterpret_cast<sy_chip_entry>(::dlsym(library, SY_ENTRY_NAME));
  if (entry == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' does not export {}", plugin.string(),
                SY_ENTRY_NAME);
  }
  const sy_chip_api* given = entry(HostWith(cache_folder));
  if (given == nullptr || given->oldest_host_version > SY_INTERFACE_VERSION) {
    return Fail(ErrorCode::kFailedPrecondition, "'{}' refuses a host of interface version {}",
                plugin.string(), SY_INTERFACE_VERSION);
  }
  sy_chip_api table{};
  std::memcpy(&table, given, std::min<std::size_t>(given->struct_size, sizeof table));
  return table;
}

base::Result<std::unique_ptr<Session>> Session::Open(const sy_chip_api& api, std::uint32_t index,
                                                     const Options& options) {
  std::unique_ptr<Session> session(new Session(api, index, options));
  std::vector<sy_option> given;
  for (const auto& [name, value] : options)
    given.push_back({sizeof(sy_option), name.c_str(), value.c_str()});
  SWITCHYARD_RETURN_IF_ERROR(
      session->Check(api.device_open(index, given.data(), static_cast<std::uint32_t>(given.size()),
                                     &session->device_),
                     "device_open"));
  session->properties_.struct_size = sizeof(sy_device_properties);
  SWITCHYARD_RETURN_IF_ERROR(
      session->Check(api.opened_properties != nullptr
                         ? api.opened_properties(session->device_, &session->properties_)
                         : api.device_properties(index, &session->properties_),
                     "asking for the device's properties"));
  SWITCHYARD_RETURN_IF_ERROR(
      session->Check(api.queue_create(session->device_, &session->queue_), "queue_create"));
  return session;
}

base::Result<std::unique_ptr<Session>> Session::OpenAgain(const Options& more) const {
  Options options = options_;
  options.insert(options.end(), more.begin(), more.end());
  return Open(api_, index_, options);
}

Session::~Session() {
  if (queue_ != nullptr) api_.queue_destroy(queue_);
  if (device_ != nullptr) api_.device_close(device_);
}

base::Status Session::Check(sy_status status, std::string_view doing) const {
  if (status == SY_OK) return {};
  const char* sentence = api_.last_error();
  return Fail(static_cast<ErrorCode>(status), "{} failed with status {}: {}", doing, status,
              sentence == nullptr ? "(no sentence)" : sentence);
}

base::Result<Handle<sy_buffer>> Session::CreateBuffer(std::uint64_t bytes) {
  sy_buffer* buffer = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.buffer_create(device_, bytes, &buffer), "buffer_create"));
  return Handle<sy_buffer>(buffer, api_.buffer_destroy);
}

base::Result<Handle<sy_queue>> Session::CreateQueue() {
  sy_queue* queue = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.queue_create(device_, &queue), "queue_create"));
  return Handle<sy_queue>(queue, api_.queue_destroy);
}

base::Result<Handle<sy_event>> Session::CreateEvent() {
  sy_event* event = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.event_create(device_, &event), "event_create"));
  return Handle<sy_event>(event, api_.event_destroy);
}

base::Result<Handle<sy_weight>> Session::CreateWeight(const sy_weight_desc& desc) {
  sy_weight* weight = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.weight_create(device_, &desc, &weight), "weight_create"));
  return Handle<sy_weight>(weight, api_.weight_destroy);
}

base::Result<Handle<sy_program>> Session::CreateProgram(const sy_program_desc& desc) {
  sy_program* program = nullptr;
  SWITCHYARD_RETURN_IF_ERROR(
      Check(api_.program_create(device_, &desc, &program), "program_create"));
  return Handle<sy_program>(program, api_.program_destroy);
}

base::Status Session::Upload(sy_buffer* to, std::uint64_t offset, const void* from,
                             std::uint64_t bytes) {
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.upload(queue_, to, offset, from, bytes), "upload"));
  return Check(api_.queue_sync(queue_), "queue_sync after upload");
}

base::Status Session::Download(void* to, sy_buffer* from, std::uint64_t offset,
                               std::uint64_t bytes) {
  SWITCHYARD_RETURN_IF_ERROR(Check(api_.download(queue_, to, from, offset, bytes), "download"));
  return Check(api_.queue_sync(queue_), "queue_sync after download");
}

}  // namespace switchyard::conformance
