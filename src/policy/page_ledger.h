// What a plan would do to a pool's pages: counts holders without touching the pool, so that a plan
// can be tried and thrown away. A value; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/page_pool.h"

namespace switchyard::policy {

class PageLedger {
 public:
  explicit PageLedger(std::int64_t pages)
      : holders_(static_cast<std::size_t>(pages), 0), available_(pages) {}

  std::int64_t available() const { return available_; }

  void Hold(std::span<const PageId> pages);
  void Drop(std::span<const PageId> pages);
  // Pages that have no number yet.
  void Take(std::int64_t count) { available_ -= count; }
  // How many available ones Hold would take.
  std::int64_t Idle(std::span<const PageId> pages) const;

 private:
  std::vector<std::int32_t> holders_;
  std::int64_t available_;
};

}  // namespace switchyard::policy
