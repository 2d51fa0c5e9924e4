// For plugins that misbehave before any device is opened: a chip's table in which every required
// function exists and refuses.
#pragma once

#include <cstdint>
#include <type_traits>

#include "switchyard/chip.h"

namespace switchyard::tests {

template <typename Result, typename... Arguments>
void Refuse(Result (*&slot)(Arguments...)) {
  slot = [](Arguments...) -> Result {
    if constexpr (std::is_same_v<Result, const char*>) {
      return "this plugin is for tests and has no device";
    } else if constexpr (std::is_same_v<Result, sy_status>) {
      return SY_UNAVAILABLE;
    }
  };
}

inline sy_chip_api StubTable(const char* name, sy_status (*device_count)(std::uint32_t*)) {
  sy_chip_api api{};
  api.struct_size = sizeof api;
  api.interface_version = SY_INTERFACE_VERSION;
  api.oldest_host_version = 1;
  api.name = name;
  Refuse(api.device_properties);
  Refuse(api.device_open);
  Refuse(api.device_close);
  Refuse(api.memory_available);
  Refuse(api.buffer_create);
  Refuse(api.buffer_destroy);
  Refuse(api.queue_create);
  Refuse(api.queue_destroy);
  Refuse(api.queue_sync);
  Refuse(api.upload);
  Refuse(api.download);
  Refuse(api.copy);
  Refuse(api.fill);
  Refuse(api.event_create);
  Refuse(api.event_destroy);
  Refuse(api.event_record);
  Refuse(api.event_wait);
  Refuse(api.event_sync);
  Refuse(api.weight_create);
  Refuse(api.weight_destroy);
  Refuse(api.weight_properties);
  Refuse(api.op_supported);
  Refuse(api.program_create);
  Refuse(api.program_destroy);
  Refuse(api.program_properties);
  Refuse(api.program_run);
  Refuse(api.last_error);
  api.device_count = device_count;
  return api;
}

}  // namespace switchyard::tests
