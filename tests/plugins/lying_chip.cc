// A plugin that counts a device of which it then knows nothing.
#include <cstdint>

#include "stub_table.h"

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host*) {
  static const sy_chip_api api =
      switchyard::tests::StubTable("lying", [](std::uint32_t* count) -> sy_status {
        *count = 1;
        return SY_OK;
      });
  return &api;
}
