#include "base/text_file.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace switchyard::base {

std::optional<std::string> ReadTextFile(const std::filesystem::path& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 16384> piece;
  while (file && text.size() < most) {
    file.read(piece.data(),
              static_cast<std::streamsize>(std::min(piece.size(), most - text.size())));
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  // A folder opens and then cannot be read.
  if (file.bad()) return std::nullopt;
  return text;
}

}  // namespace switchyard::base
