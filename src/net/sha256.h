// SHA-256 (FIPS 180-4) of a stream of bytes, by OpenSSL. An object belongs to one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"

struct evp_md_ctx_st;

namespace switchyard::net {

class Sha256 {
 public:
  Sha256();

  void Update(std::span<const std::byte> bytes);
  // The digest in 64 lower-case hexadecimal digits; starts the next stream.
  std::string HexDigest();

 private:
  void Restart();

  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Reads the whole file; 64 lower-case hexadecimal digits.
base::Result<std::string> Sha256OfFile(const std::filesystem::path& path);

}  // namespace switchyard::net
