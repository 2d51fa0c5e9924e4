/* A plugin whose driver never answers. */
#include <stddef.h>
#include <unistd.h>

#include "broken_chip.h"

static sy_status CountDevices(uint32_t* count) {
  (void)count;
  while (pause() != 0) {
  }
  return SY_INTERNAL;
}

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  (void)host;
  return BrokenChip("hanging", CountDevices);
}
