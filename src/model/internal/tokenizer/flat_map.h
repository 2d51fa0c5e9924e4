// A hash map from 64-bit keys to small values that is filled once and then only read: open
// addressing in one array, which is what merging tokens spends its time in.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace switchyard::model::tokenization {

template <typename Value>
class FlatMap {
 public:
  explicit FlatMap(std::size_t expected = 0) : slots_(std::bit_ceil(expected * 2 + 16)) {}

  // The value of `key`, new if there was none. `key` must not be the highest 64-bit number.
  Value& operator[](std::uint64_t key) {
    if ((used_ + 1) * 4 > slots_.size() * 3) Grow();
    Slot& slot = slots_[Place(key)];
    if (slot.key == kEmpty) {
      slot.key = key;
      ++used_;
    }
    return slot.value;
  }

  const Value* Find(std::uint64_t key) const {
    const Slot& slot = slots_[Place(key)];
    return slot.key == key ? &slot.value : nullptr;
  }

  std::size_t size() const { return used_; }

 private:
  static constexpr std::uint64_t kEmpty = std::numeric_limits<std::uint64_t>::max();
  struct Slot {
    std::uint64_t key = kEmpty;
    Value value{};
  };

  // Where `key` is or would be. Mixing as in MurmurHash3's finalizer, since keys are dense.
  std::size_t Place(std::uint64_t key) const {
    std::uint64_t hash = (key ^ (key >> 33)) * 0xFF51AFD7ED558CCDULL;
    hash ^= hash >> 33;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  void Grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    for (Slot& slot : old) {
      if (slot.key != kEmpty) slots_[Place(slot.key)] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t used_ = 0;
};

}  // namespace switchyard::model::tokenization
