#include "model/internal/extents.h"

#include <algorithm>

#include "model/internal/printable.h"

namespace switchyard::model::internal {

base::Status CheckNoOverlap(std::span<const std::byte> file, std::vector<Extent> extents) {
  std::erase_if(extents, [](const Extent& extent) { return extent.data.empty(); });
  std::ranges::sort(extents, {}, [](const Extent& extent) { return extent.data.data(); });
  for (std::size_t i = 1; i < extents.size(); ++i) {
    const Extent& before = extents[i - 1];
    const Extent& after = extents[i];
    if (before.data.data() + before.data.size() <= after.data.data()) continue;
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "tensors '{}' and '{}' overlap at byte {}: the file is damaged or badly "
                      "converted; fetch or convert it again",
                      Printable(before.name), Printable(after.name),
                      after.data.data() - file.data());
  }
  return {};
}

}  // namespace switchyard::model::internal
