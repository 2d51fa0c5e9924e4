// SHA-256 (FIPS 180-4) of a stream of bytes, by OpenSSL. An object belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

struct evp_md_ctx_st;

namespace switchyard::base {

using Sha256Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();

  void Update(std::span<const std::byte> bytes);
  // Each ends the stream and starts the next one.
  Sha256Digest Digest();
  std::string HexDigest();  // 64 lower-case hexadecimal digits

 private:
  void Restart();

  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string Sha256Of(std::string_view text);  // 64 lower-case hexadecimal digits
// Reads the whole file; 64 lower-case hexadecimal digits.
Result<std::string> Sha256OfFile(const std::filesystem::path& path);

}  // namespace switchyard::base
