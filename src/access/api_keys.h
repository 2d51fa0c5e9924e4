// The keys that clients may come with, and what each may ask for: a text file of one key a line,
// perhaps with options behind it.
//
//   # a comment
//   sk-one
//   sk-two name=teamA requests_per_minute=60 tokens_per_minute=100000 concurrent=4 priority=1
//
// Immutable after reading, so any thread may look. Only digests are kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/rate_limit.h"

namespace switchyard::access {

// A key's holder. Several keys of one name are one holder, so that a key can be replaced.
struct KeyTerms {
  std::string name;  // in logs and metrics; "key-2", the second of the file, where none is given
  policy::RateLimits limits;
  std::int32_t priority = 0;  // higher first
  friend bool operator==(const KeyTerms&, const KeyTerms&) = default;
};

class ApiKeys {
 public:
  // Blank lines and those that begin with '#' are skipped. kInvalidArgument names the line, never
  // what stands in it.
  static base::Result<ApiKeys> Parse(std::string_view text);

  // The first key in such a text; empty if there is none.
  static std::string FirstKey(std::string_view text);

  // Of the value of an Authorization header, "Bearer KEY": the index in terms(). The time that this
  // takes does not tell how much of a key is right, nor which.
  std::optional<std::size_t> Find(std::string_view authorization) const;

  // One for each name.
  const std::vector<KeyTerms>& terms() const { return terms_; }

 private:
  using Digest = std::array<std::uint8_t, 32>;  // SHA-256
  struct Key {
    Digest digest;
    std::size_t terms;
  };
  static Digest DigestOf(std::string_view key);
  base::Status Add(std::string_view line, int number);

  std::vector<Key> keys_;
  std::vector<KeyTerms> terms_;
};

}  // namespace switchyard::access
