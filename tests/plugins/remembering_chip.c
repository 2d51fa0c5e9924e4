/* A plugin that has nothing to offer but the folder that the host gave it: its last error. */
#include <stddef.h>

#include "broken_chip.h"

static const sy_host* the_host;

static sy_status CountDevices(uint32_t* count) {
  (void)count;
  return SY_FAILED_PRECONDITION;
}

static const char* LastError(void) { return the_host->cache_dir; }

SY_EXPORT const sy_chip_api* switchyard_chip_entry(const sy_host* host);
const sy_chip_api* switchyard_chip_entry(const sy_host* host) {
  static sy_chip_api api;
  the_host = host;
  api = *BrokenChip("remembering", CountDevices);
  api.last_error = LastError;
  return &api;
}
