/* A plugin with an empty table. */
#include <stddef.h>

#include "switchyard/chip.h"

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  static sy_chip_api api;
  (void)host;
  api.struct_size = sizeof api;
  api.name = "missing_slot";
  return &api;
}
