// JSON from outside, parsed without exceptions and with a limit on nesting, so that hostile text
// ends in a sentence. Objects keep the order of the text, which chat templates can observe.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"

namespace switchyard::base {

using Json = nlohmann::ordered_json;

// `subject` names the text in errors, such as a file's path. The text must be UTF-8.
Result<Json> ParseJson(std::string_view text, std::string_view subject,
                       std::size_t max_depth = 128);

}  // namespace switchyard::base
