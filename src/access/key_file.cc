#include "access/key_file.h"

#include <utility>

#include "base/text_file.h"

namespace switchyard::access {

base::Result<std::string> ReadKeyText(const std::string& path) {
  auto text = base::ReadTextFile(path);
  if (!text || text->empty()) {
    return base::Fail(base::ErrorCode::kNotFound,
                      "cannot read the keys in '{}': it must be a file with one key a line", path);
  }
  return *std::move(text);
}

base::Result<ApiKeys> ReadKeyFile(const std::string& path, KeyParser parse) {
  return ReadKeyFile(path, parse, path);
}

base::Result<ApiKeys> ReadKeyFile(const std::string& path, KeyParser parse, std::string_view name) {
  SWITCHYARD_TRY(const std::string text, ReadKeyText(path));
  auto keys = parse(text);
  if (!keys) return base::Rethrow(std::move(keys.error()), "{}", name);
  return keys;
}

}  // namespace switchyard::access
