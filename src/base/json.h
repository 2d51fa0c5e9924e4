// JSON from outside, parsed without exceptions and with limits, so that hostile text ends in a
// sentence. Objects keep the order of the text, which chat templates can observe.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::base {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t depth = 128;
  std::size_t keys = 8192;  // of one object; whoever needs more reads events, not a tree
};

// `subject` names the text in errors, such as a file's path. The text must be UTF-8.
Result<Json> ParseJson(std::string_view text, std::string_view subject,
                       const JsonLimits& limits = {});

// In one line; what is not UTF-8 becomes U+FFFD.
std::string WriteJson(const Json& json);

}  // namespace switchyard::base
