/* A plugin whose driver prints to standard output, claims impossibly many devices, and fails. */
#include <stddef.h>
#include <stdio.h>

#include "broken_chip.h"

static sy_status CountDevices(uint32_t* count) {
  printf("driver banner\n");
  fflush(stdout);
  *count = 0x7fffffffu;
  return SY_OK;
}

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  (void)host;
  return BrokenChip("printing", CountDevices);
}
