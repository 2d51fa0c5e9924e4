// Reading JSON of others where any of it may be missing or of another type: what is not there as
// expected is empty, 0 or false. For what is shown or counted; what must be right is checked
// elsewhere. Never throws.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace switchyard::base {

// The value of an object's key; null where there is none, whatever `json` is.
const Json& At(const Json& json, const char* key);
std::string TextAt(const Json& json, const char* key);
std::int64_t CountAt(const Json& json, const char* key);  // from 0 to 1e15
double NumberAt(const Json& json, const char* key);       // 0 and more
bool FlagAt(const Json& json, const char* key);
std::vector<std::string> TextsAt(const Json& json, const char* key);  // of a list

}  // namespace switchyard::base
