#include "base/json.h"

#include <string>

namespace switchyard::base {
namespace {

// nlohmann's parser needs no stack for nesting, but everyone who walks the result does.
std::size_t Depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view subject, std::size_t max_depth) {
  if (Depth(text) > max_depth) {
    return Fail(ErrorCode::kInvalidArgument, "{}: JSON is nested deeper than {} levels", subject,
                max_depth);
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& failure) {
    return Fail(ErrorCode::kInvalidArgument, "{}: not valid JSON ({})", subject, failure.what());
  }
}

}  // namespace switchyard::base
