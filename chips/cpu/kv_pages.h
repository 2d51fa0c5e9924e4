// Pages of the KV cache between this chip's layout and the chip-neutral one.
//
// Inside, keys lie [G][P / 16][d][16] and values [G][P][dv]. A tensor given to export or import
// does not say which it is, so the device remembers how its programs used that slot; a slot that
// none used, or that some used as both, is refused.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>

#include "status.h"
#include "switchyard/chip.h"

namespace switchyard::cpu {

class KvSlots {
 public:
  void Note(const sy_tensor& pages, bool is_key);
  Result<bool> IsKey(const sy_tensor& pages) const;

 private:
  // Slot and P, G, d.
  using Key = std::tuple<std::uint32_t, std::int64_t, std::int64_t, std::int64_t>;
  static Key KeyOf(const sy_tensor& pages);
  mutable std::mutex mutex_;
  std::map<Key, int> uses_;  // bit 0: as values, bit 1: as keys
};

Status ExportPage(const sy_device& device, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t page, char* to);
Status ImportPage(const sy_device& device, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t page, const char* from);

}  // namespace switchyard::cpu
