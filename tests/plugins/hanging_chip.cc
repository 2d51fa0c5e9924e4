// A plugin that never answers when asked for devices, as a bad driver does.
#include <unistd.h>

#include <cstdint>

#include "stub_table.h"

extern "C" SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host*) {
  static const sy_chip_api api =
      switchyard::tests::StubTable("hanging", [](std::uint32_t*) -> sy_status {
        while (true) ::pause();
      });
  return &api;
}
