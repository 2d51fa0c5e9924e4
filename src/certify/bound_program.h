// A list of operations on one chip with everything that it reads and writes bound, to be run and
// read: what certification does over and over. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "device/program.h"
#include "engine/kv_cache.h"
#include "ops/op_list.h"

namespace switchyard::certify {

// What one slot of a list is: KV pages, or contents of the host's that are brought over first.
struct SlotContents {
  const device::Buffer* pages = nullptr;
  std::span<const std::byte> bytes;  // empty: undefined at first
};

class BoundProgram {
 public:
  // `slots` by slot of `list`. `bytes` must outlive the program, as chips may read integers there.
  static base::Result<std::unique_ptr<BoundProgram>> Create(const ops::OpList& list,
                                                            std::span<const SlotContents> slots,
                                                            device::WeightTable& weights,
                                                            const device::Target& target,
                                                            device::KvHome kv_home);

  // Returns when the work is done.
  base::Status Run();
  base::Result<std::vector<std::byte>> Read(std::uint32_t slot);

  const device::LoadReport& report() const { return program_->report(); }

 private:
  explicit BoundProgram(const device::Target& target) : target_(target) {}

  device::Target target_;
  std::unique_ptr<device::Program> program_;
  std::vector<std::uint64_t> bytes_;     // by slot
  std::vector<device::Buffer> buffers_;  // by slot; empty for KV pages
  std::vector<device::Argument> arguments_;
};

}  // namespace switchyard::certify
