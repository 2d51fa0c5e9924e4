/* A table whose only working function is device_count; every other slot aborts when called. */
#ifndef SWITCHYARD_TESTS_PLUGINS_BROKEN_CHIP_H_
#define SWITCHYARD_TESTS_PLUGINS_BROKEN_CHIP_H_

#include <stdlib.h>

#include "switchyard/chip.h"

static void Unexpected(void) { abort(); }

static const sy_chip_api* BrokenChip(const char* name, sy_status (*device_count)(uint32_t*)) {
  static sy_chip_api api;
  void (**slot)(void) = (void (**)(void))(void*)&api.device_count;
  void (**end)(void) = (void (**)(void))(void*)(&api + 1);
  for (; slot != end; ++slot) *slot = Unexpected;
  api.struct_size = sizeof api;
  api.interface_version = SY_INTERFACE_VERSION;
  api.oldest_host_version = 1;
  api.name = name;
  api.device_count = device_count;
  return &api;
}

#endif
