/* A plugin whose driver crashes when asked for devices. */
#include <stddef.h>
#include <stdlib.h>

#include "broken_chip.h"

static sy_status CountDevices(uint32_t* count) {
  (void)count;
  abort();
}

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  (void)host;
  return BrokenChip("crashing", CountDevices);
}
