// A plugin that brings its process down when asked for devices, as a bad driver does.
#include <cstdint>
#include <cstdlib>

#include "stub_table.h"

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host*) {
  static const sy_chip_api api =
      switchyard::tests::StubTable("crashing", [](std::uint32_t*) -> sy_status { std::abort(); });
  return &api;
}
