// The keys that clients may come with. Immutable after reading, so any thread may check. Only
// digests are kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::server {

class ApiKeys {
 public:
  // One key a line; blank lines and those that begin with '#' are skipped. kInvalidArgument if
  // there is none, or if one holds a blank.
  static base::Result<ApiKeys> Parse(std::string_view text);

  // The value of an Authorization header, "Bearer KEY". The time that this takes does not tell how
  // much of a key is right, nor which.
  bool Accepts(std::string_view authorization) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;  // SHA-256
  static Digest DigestOf(std::string_view key);

  std::vector<Digest> digests_;
};

}  // namespace switchyard::server
