// Files of keys, as operators write them: one key a line.
#pragma once

#include <string>
#include <string_view>

#include "access/api_keys.h"
#include "base/error.h"

namespace switchyard::access {

using KeyParser = base::Result<ApiKeys> (*)(std::string_view text);

// kNotFound if it cannot be read.
base::Result<std::string> ReadKeyText(const std::string& path);
// A complaint of the parser begins with `name`; by default the path.
base::Result<ApiKeys> ReadKeyFile(const std::string& path, KeyParser parse);
base::Result<ApiKeys> ReadKeyFile(const std::string& path, KeyParser parse, std::string_view name);

}  // namespace switchyard::access
