// A chip plugin, loaded and opened through the chip interface alone: the suite needs nothing of a
// chip but its plugin. Owning handles free what they hold through the plugin's own table.
//
// A plugin stays loaded for the life of the process. A Session must outlive what is made from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "switchyard/chip.h"

namespace switchyard::conformance {

template <typename T>
using Handle = std::unique_ptr<T, void (*)(T*)>;

using Options = std::vector<std::pair<std::string, std::string>>;

// The plugin's table, of full size: slots that it is too old to have are null. Compiled kernels are
// kept in `cache_folder`; an empty one means that nothing is.
base::Result<sy_chip_api> LoadPlugin(const std::filesystem::path& plugin,
                                     const std::filesystem::path& cache_folder = {});

class Session {
 public:
  static base::Result<std::unique_ptr<Session>> Open(const sy_chip_api& api, std::uint32_t index,
                                                     const Options& options);
  // The same device once more, with the same options and `more`.
  base::Result<std::unique_ptr<Session>> OpenAgain(const Options& more = {}) const;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  const sy_chip_api& api() const { return api_; }
  sy_device* device() const { return device_; }
  sy_queue* queue() const { return queue_; }
  std::uint32_t index() const { return index_; }
  const sy_device_properties& properties() const { return properties_; }
  bool has(sy_device_flags flag) const { return (properties_.flags & flag) != 0; }

  // SY_OK becomes success, anything else an Error with the chip's sentence after `doing`.
  base::Status Check(sy_status status, std::string_view doing) const;

  base::Result<Handle<sy_buffer>> CreateBuffer(std::uint64_t bytes);
  base::Result<Handle<sy_queue>> CreateQueue();
  base::Result<Handle<sy_event>> CreateEvent();
  base::Result<Handle<sy_weight>> CreateWeight(const sy_weight_desc& desc);
  base::Result<Handle<sy_program>> CreateProgram(const sy_program_desc& desc);

  // Through a queue, and waiting for it.
  base::Status Upload(sy_buffer* to, std::uint64_t offset, const void* from, std::uint64_t bytes);
  base::Status Download(void* to, sy_buffer* from, std::uint64_t offset, std::uint64_t bytes);

 private:
  Session(const sy_chip_api& api, std::uint32_t index, const Options& options)
      : api_(api), index_(index), options_(options) {}

  sy_chip_api api_;
  std::uint32_t index_;
  Options options_;
  sy_device* device_ = nullptr;
  sy_queue* queue_ = nullptr;
  sy_device_properties properties_{};
};

}  // namespace switchyard::conformance
