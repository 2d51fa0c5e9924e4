#include "base/json.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace switchyard::base {
namespace {

struct OpenBracket {
  char kind = '{';
  std::size_t position = 0;
  std::size_t keys = 0;
};

// Reads the text's brackets and keys before a tree is built: nlohmann's parser needs no stack for
// nesting, but everyone who walks the result does, and an object that keeps its order looks for a
// key in linear time.
class ShapeCheck {
 public:
  ShapeCheck(std::string_view text, std::string_view subject, const JsonLimits& limits)
      : text_(text), subject_(subject), limits_(limits) {}

  // The brackets that the text leaves open. Reading ends at one that closes none or another kind,
  // since the parser gets no further, and says best what the first fault is.
  Result<std::vector<OpenBracket>> Run() {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '"') {
        i = SkipString(i);
      } else if (c == '[' || c == '{') {
        SWITCHYARD_RETURN_IF_ERROR(Open(c, i));
      } else if (c == ']' || c == '}') {
        if (open_.empty() || open_.back().kind != (c == ']' ? '[' : '{')) break;
        open_.pop_back();
      } else if (c == ':' && !open_.empty() && open_.back().kind == '{') {
        SWITCHYARD_RETURN_IF_ERROR(CountKey());
      }
    }
    return std::move(open_);
  }

 private:
  // The place of its closing quote, or of the text's end.
  std::size_t SkipString(std::size_t begin) {
    std::size_t i = begin + 1;
    while (i < text_.size() && text_[i] != '"') i += text_[i] == '\\' ? 2 : 1;
    string_bytes_ = std::min(i, text_.size()) - begin - 1;
    return i;
  }

  Status Open(char kind, std::size_t position) {
    open_.push_back({.kind = kind, .position = position});
    if (open_.size() <= limits_.depth) return {};
    return Fail(ErrorCode::kInvalidArgument, "{}: JSON is nested deeper than {} levels", subject_,
                limits_.depth);
  }

  // The string before the colon is held against the object's keys so far.
  Status CountKey() {
    constexpr std::size_t kBytesAtOnce = 32;
    OpenBracket& object = open_.back();
    comparisons_ += object.keys * (1 + string_bytes_ / kBytesAtOnce);
    if (++object.keys > limits_.keys) {
      return Fail(ErrorCode::kInvalidArgument, "{}: a JSON object has more than {} keys", subject_,
                  limits_.keys);
    }
    if (comparisons_ <= limits_.comparisons) return {};
    return Fail(ErrorCode::kInvalidArgument,
                "{}: the JSON has too many objects with very many or very long keys: use lists, "
                "or several smaller texts",
                subject_);
  }

  std::string_view text_;
  std::string_view subject_;
  const JsonLimits& limits_;
  std::vector<OpenBracket> open_;
  std::size_t string_bytes_ = 0;  // of the last string
  std::uint64_t comparisons_ = 0;
};

// Where a bracket lies that the text leaves open, as the parser names places.
std::string Unclosed(std::string_view text, const OpenBracket& bracket) {
  const std::string_view before = text.substr(0, bracket.position);
  const std::size_t line_begin = before.rfind('\n') + 1;  // 0 if there is none
  return fmt::format("; the '{}' at line {}, column {} is not closed", bracket.kind,
                     std::ranges::count(before, '\n') + 1, before.size() - line_begin + 1);
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view subject, const JsonLimits& limits) {
  SWITCHYARD_TRY(const std::vector<OpenBracket> open, ShapeCheck(text, subject, limits).Run());
  try {
    return Json::parse(text);
  } catch (const Json::exception& failure) {
    // The library's sentence, which gives line and column, without the tag before it.
    std::string_view why = failure.what();
    if (const std::size_t tag = why.find("] "); tag != std::string_view::npos) {
      why.remove_prefix(tag + 2);
    }
    const bool is_cut_off = !open.empty() && why.contains("unexpected end of input");
    return Fail(ErrorCode::kInvalidArgument, "{}: not valid JSON ({}{})", subject,
                ReplaceBrokenUtf8(why), is_cut_off ? Unclosed(text, open.back()) : "");
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
