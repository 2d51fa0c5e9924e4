// The interface's header and the bring-up kit as they were when this program was built: they travel
// inside it, so that `switchyard new-chip` works wherever the program is.
#pragma once

#include <span>
#include <string_view>

namespace switchyard::cli {

struct KitFile {
  std::string_view path;  // "kit/device.h", "include/switchyard/chip.h", "skeleton/chip.cc.in"
  std::string_view text;
};

extern const std::span<const KitFile> kKitFiles;

}  // namespace switchyard::cli
