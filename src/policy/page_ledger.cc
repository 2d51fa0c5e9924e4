#include "policy/page_ledger.h"

#include <algorithm>

namespace switchyard::policy {

void PageLedger::Hold(std::span<const PageId> pages) {
  for (const PageId page : pages) {
    if (holders_[static_cast<std::size_t>(page)]++ == 0) --available_;
  }
}

void PageLedger::Drop(std::span<const PageId> pages) {
  for (const PageId page : pages) {
    if (--holders_[static_cast<std::size_t>(page)] == 0) ++available_;
  }
}

std::int64_t PageLedger::Idle(std::span<const PageId> pages) const {
  return std::ranges::count_if(
      pages, [&](PageId page) { return holders_[static_cast<std::size_t>(page)] == 0; });
}

}  // namespace switchyard::policy
