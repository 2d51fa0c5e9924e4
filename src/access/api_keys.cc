#include "access/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

namespace switchyard::access {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::string_view kBlank = " \t\r\v\f";
constexpr std::size_t kNameBytes = 64;
constexpr std::int64_t kMost = 1'000'000'000'000;

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// Takes the first word off `text`.
std::string_view TakeWord(std::string_view& text) {
  text = Trimmed(text);
  const std::string_view word = text.substr(0, text.find_first_of(kBlank));
  text.remove_prefix(word.size());
  return word;
}

// Takes the first line off `text`.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = Trimmed(text.substr(0, end));
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

bool IsKeyLine(std::string_view line) { return !line.empty() && line.front() != '#'; }

base::Status ReadNumber(std::string_view text, std::string_view option, int line, std::int64_t low,
                        std::int64_t high, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= low && number <= high) {
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              "line {} of the API keys: {} must be a whole number from {} to {}", line, option, low,
              high);
}

base::Status ReadName(std::string_view text, int line, std::string& name) {
  const bool is_name = !text.empty() && text.size() <= kNameBytes &&
                       std::ranges::all_of(text, [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                       });
  if (!is_name) {
    return Fail(ErrorCode::kInvalidArgument,
                "line {} of the API keys: name must be of letters, digits, '-', '_' and '.', {} at "
                "most",
                line, kNameBytes);
  }
  name = text;
  return {};
}

base::Status ReadOption(std::string_view word, int line, KeyTerms& terms) {
  const std::size_t equals = word.find('=');
  const std::string_view option = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  if (option == "name") return ReadName(value, line, terms.name);
  if (option == "requests_per_minute") {
    return ReadNumber(value, option, line, 1, kMost, terms.limits.requests_per_minute);
  }
  if (option == "tokens_per_minute") {
    return ReadNumber(value, option, line, 1, kMost, terms.limits.tokens_per_minute);
  }
  if (option == "concurrent") {
    return ReadNumber(value, option, line, 1, kMost, terms.limits.concurrent);
  }
  if (option == "priority") {
    std::int64_t priority = 0;
    SWITCHYARD_RETURN_IF_ERROR(ReadNumber(value, option, line, -1'000'000, 1'000'000, priority));
    terms.priority = static_cast<std::int32_t>(priority);
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              "line {} of the API keys has a word that is no option: a key holds no blanks, and "
              "behind it may stand name=, requests_per_minute=, tokens_per_minute=, concurrent= "
              "and priority=",
              line);
}

}  // namespace

ApiKeys::Digest ApiKeys::DigestOf(std::string_view key) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

base::Status ApiKeys::Add(std::string_view line, int number) {
  const Key key{DigestOf(TakeWord(line)), terms_.size()};
  if (std::ranges::find(keys_, key.digest, &Key::digest) != keys_.end()) {
    return Fail(ErrorCode::kInvalidArgument,
                "line {} of the API keys repeats an earlier key: keep one of them", number);
  }
  KeyTerms terms;
  while (!Trimmed(line).empty()) {
    SWITCHYARD_RETURN_IF_ERROR(ReadOption(TakeWord(line), number, terms));
  }
  if (terms.name.empty()) terms.name = fmt::format("key-{}", keys_.size() + 1);
  keys_.push_back(key);
  const auto same = std::ranges::find(terms_, terms.name, &KeyTerms::name);
  if (same == terms_.end()) {
    terms_.push_back(std::move(terms));
    return {};
  }
  if (*same != terms) {
    return Fail(ErrorCode::kInvalidArgument,
                "line {} of the API keys: '{}' has other limits in an earlier line; keys of one "
                "name share them",
                number, terms.name);
  }
  keys_.back().terms = static_cast<std::size_t>(same - terms_.begin());
  return {};
}

base::Result<ApiKeys> ApiKeys::Parse(std::string_view text) {
  ApiKeys keys;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = TakeLine(text);
    if (!IsKeyLine(line)) continue;
    SWITCHYARD_RETURN_IF_ERROR(keys.Add(line, number));
  }
  if (keys.keys_.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the file of API keys holds none: write one key a line");
  }
  return keys;
}

std::string ApiKeys::FirstKey(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (IsKeyLine(line)) return std::string(TakeWord(line));
  }
  return {};
}

std::optional<std::size_t> ApiKeys::Find(std::string_view authorization) const {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(authorization[i])) != kScheme[i]) {
      return std::nullopt;
    }
  }
  const Digest given = DigestOf(Trimmed(authorization.substr(kScheme.size())));
  std::size_t found = std::numeric_limits<std::size_t>::max();
  for (const Key& key : keys_) {
    const bool is_it = ::CRYPTO_memcmp(key.digest.data(), given.data(), given.size()) == 0;
    found = is_it ? key.terms : found;
  }
  return found == std::numeric_limits<std::size_t>::max() ? std::nullopt : std::optional(found);
}

}  // namespace switchyard::access
