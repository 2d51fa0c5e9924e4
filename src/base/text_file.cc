#include "base/text_file.h"

#include <fstream>
#include <sstream>

namespace switchyard::base {

std::optional<std::string> ReadTextFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return text.str();
}

}  // namespace switchyard::base
