#include "base/sha256.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace switchyard::base {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  SWITCHYARD_CHECK(context_ != nullptr);
  Restart();
}

void Sha256::Restart() {
  SWITCHYARD_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::Update(std::span<const std::byte> bytes) {
  SWITCHYARD_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::Digest() {
  Sha256Digest digest{};
  unsigned int length = 0;
  SWITCHYARD_CHECK(EVP_DigestFinal_ex(context_.get(),
                                      reinterpret_cast<unsigned char*>(digest.data()),
                                      &length) == 1);
  SWITCHYARD_CHECK(length == digest.size());
  Restart();
  return digest;
}

std::string Sha256::HexDigest() {
  std::string hex;
  for (const std::byte byte : Digest()) hex += fmt::format("{:02x}", std::to_integer<int>(byte));
  return hex;
}

std::string Sha256Of(std::string_view text) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(text)));
  return hash.HexDigest();
}

Result<std::string> Sha256OfFile(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (!file) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                "cannot open '{}': {}", path.string(), std::strerror(errno));
  }
  Sha256 hash;
  std::vector<std::byte> block(std::size_t{1} << 20);
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get())) {
    hash.Update(std::span(block).first(count));
  }
  if (std::ferror(file.get()) != 0) {
    return Fail(ErrorCode::kUnavailable, "cannot read '{}': {}", path.string(),
                std::strerror(errno));
  }
  return hash.HexDigest();
}

}  // namespace switchyard::base
