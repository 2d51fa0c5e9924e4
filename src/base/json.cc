#include "base/json.h"

#include <vector>

namespace switchyard::base {
namespace {

// Refuses text that is nested too deep, or has an object of too many keys: nlohmann's parser needs
// no stack for nesting, but everyone who walks the result does, and an object that keeps its order
// looks for a key in linear time.
Status CheckShape(std::string_view text, std::string_view subject, const JsonLimits& limits) {
  std::vector<std::size_t> commas;  // seen so far, of each open bracket
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        break;
      case '[':
      case '{':
        commas.push_back(0);
        if (commas.size() > limits.depth) {
          return Fail(ErrorCode::kInvalidArgument, "{}: JSON is nested deeper than {} levels",
                      subject, limits.depth);
        }
        break;
      case ']':
        if (!commas.empty()) commas.pop_back();
        break;
      case '}':
        if (commas.empty()) break;
        if (commas.back() >= limits.keys) {
          return Fail(ErrorCode::kInvalidArgument, "{}: a JSON object has more than {} keys",
                      subject, limits.keys);
        }
        commas.pop_back();
        break;
      case ',':
        if (!commas.empty()) ++commas.back();
        break;
      default:
        break;
    }
  }
  return {};
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view subject, const JsonLimits& limits) {
  SWITCHYARD_RETURN_IF_ERROR(CheckShape(text, subject, limits));
  try {
    return Json::parse(text);
  } catch (const Json::exception& failure) {
    // The library's sentence, which gives line and column, without the tag before it.
    std::string_view why = failure.what();
    if (const std::size_t tag = why.find("] "); tag != std::string_view::npos) {
      why.remove_prefix(tag + 2);
    }
    return Fail(ErrorCode::kInvalidArgument, "{}: not valid JSON ({})", subject,
                ReplaceBrokenUtf8(why));
  }
}

std::string WriteJson(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// What the library has written it can read.
std::string ReplaceBrokenUtf8(std::string_view text) {
  return Json::parse(WriteJson(text)).get<std::string>();
}

}  // namespace switchyard::base
