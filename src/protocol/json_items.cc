#include "protocol/json_items.h"

#include <array>
#include <charconv>
#include <cstring>

#include "base/json.h"
#include "protocol/json_scanner.h"

namespace switchyard::protocol {

namespace {

// A number's or a word's end. (Also a byte 0, which is in neither.)
constexpr auto kEndsWord = [] {
  std::array<bool, 256> ends{};
  for (const char c : {',', ':', ']', '}', '[', '{', '"', ' ', '\t', '\n', '\r', '\0'}) {
    ends[static_cast<unsigned char>(c)] = true;
  }
  return ends;
}();

bool EndsWord(char c) { return kEndsWord[static_cast<unsigned char>(c)]; }

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20; }

}  // namespace

JsonItems::JsonItems(std::string_view text) : text_(text) {
  SkipBlanks();
  if (at_ == text_.size()) return;
  if (text_[at_] == '{') close_ = '}';
  if (text_[at_] == '[') close_ = ']';
  ++at_;
}

bool JsonItems::Break() {
  close_ = 0;
  return false;
}

void JsonItems::SkipBlanks() {
  while (at_ < text_.size() && IsJsonBlank(text_[at_])) ++at_;
}

// From behind its first quote to behind its last.
bool JsonItems::SkipString() {
  while (at_ < text_.size()) {
    const void* const found = std::memchr(text_.data() + at_, '"', text_.size() - at_);
    if (found == nullptr) return false;
    const auto quote = static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
    std::size_t slashes = 0;
    while (quote - slashes > at_ && text_[quote - slashes - 1] == '\\') ++slashes;
    at_ = quote + 1;
    // An escaped quote; the backslashes before it are behind us, and whole.
    if (slashes % 2 == 0) return true;
  }
  return false;
}

bool JsonItems::SkipValue() {
  std::size_t depth = 0;
  do {
    SkipBlanks();
    if (at_ == text_.size()) return false;
    const char first = text_[at_++];
    if (first == '"') {
      if (!SkipString()) return false;
    } else if (first == '{' || first == '[') {
      ++depth;
    } else if (first == '}' || first == ']') {
      if (depth == 0) return false;
      --depth;
    } else if (first == ',' || first == ':') {
      if (depth == 0) return false;
    } else {
      while (at_ < text_.size() && !EndsWord(text_[at_])) ++at_;
    }
  } while (depth > 0);
  return true;
}

bool JsonItems::Next() {
  if (close_ == 0) return false;
  SkipBlanks();
  if (at_ == text_.size()) return Break();
  if (text_[at_] == close_) {
    ++at_;
    SkipBlanks();
    is_whole_ = at_ == text_.size();
    return Break();
  }
  if (!is_first_) {
    if (text_[at_++] != ',') return Break();
    SkipBlanks();
  }
  is_first_ = false;
  const std::size_t begin = at_;
  if (is_object()) {
    if (at_ == text_.size() || text_[at_++] != '"' || !SkipString()) return Break();
    key_ = text_.substr(begin + 1, at_ - begin - 2);
    SkipBlanks();
    if (at_ == text_.size() || text_[at_++] != ':') return Break();
    SkipBlanks();
  }
  const std::size_t value = at_;
  if (!SkipValue()) return Break();
  value_ = text_.substr(value, at_ - value);
  item_ = text_.substr(begin, at_ - begin);
  return true;
}

std::optional<std::int64_t> JsonInteger(std::string_view value) {
  std::int64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stopped, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

bool IsJsonString(std::string_view value) { return value.size() >= 2 && value.front() == '"'; }

std::optional<std::string> JsonString(std::string_view value) {
  if (!IsJsonString(value)) return std::nullopt;
  const std::string_view inner = value.substr(1, value.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return std::string(inner);
  auto parsed = base::ParseJson(value, "a string");
  if (!parsed || !parsed->is_string()) return std::nullopt;
  return parsed->get<std::string>();
}

bool IsJsonFalsy(std::string_view value) {
  return value.empty() || value == "null" || value == "false" || value == "0" || value == "\"\"" ||
         value == "{}" || value == "[]";
}

bool HasControls(std::string_view text) {
  bool has = false;
  for (const char c : text) has |= IsControl(c);  // without a branch, since hardly any has
  return has;
}

std::optional<std::string> JsonInOneLine(std::string_view text) {
  std::string line(text);
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char& c = line[i];
    if (IsControl(c)) {
      if (in_string || !IsJsonBlank(c)) return std::nullopt;
      c = ' ';
    } else if (c == '"') {
      in_string = !in_string;
    } else if (c == '\\' && in_string) {
      ++i;
      if (i < line.size() && IsControl(line[i])) return std::nullopt;
    }
  }
  return line;
}

}  // namespace switchyard::protocol
