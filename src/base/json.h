// JSON from outside, parsed without exceptions and with limits, so that hostile text ends in a
// sentence. Objects keep the order of the text, which chat templates can observe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::base {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t depth = 128;
  std::size_t keys = 8192;  // of one object; whoever needs more reads events, not a tree
  // Of keys, 32 bytes at a time, with those before them in their objects. An object of 8192 keys
  // takes 34 million, ten thousand objects of 50 keys take 12; this many stay below a second.
  std::uint64_t comparisons = std::uint64_t{1} << 28U;
};

// `subject` names the text in errors, such as a file's path. The text must be UTF-8; what errors
// quote of it is, whatever it was.
Result<Json> ParseJson(std::string_view text, std::string_view subject,
                       const JsonLimits& limits = {});

// In one line, or indented by so many blanks; what is not UTF-8 becomes U+FFFD.
std::string WriteJson(const Json& json, int indent = -1);

// What is not UTF-8 becomes U+FFFD: for foreign text that others are to read.
std::string ReplaceBrokenUtf8(std::string_view text);

}  // namespace switchyard::base
