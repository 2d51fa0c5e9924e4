// Ed25519 (RFC 8032) by OpenSSL: the keys with which certificates are signed, their files, and the
// signatures. Keys are values of one thread; a public key may be copied freely.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct evp_pkey_st;

namespace switchyard::certify {

// Bytes in std::string are bytes, not text.
class PublicKey {
 public:
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kSignatureBytes = 64;

  // SubjectPublicKeyInfo (RFC 8410) as PEM ("-----BEGIN PUBLIC KEY-----") or DER.
  static base::Result<PublicKey> FromPem(std::string_view pem);
  static base::Result<PublicKey> FromDer(std::string_view der);
  // The 32 bytes of RFC 8032.
  static base::Result<PublicKey> FromRaw(std::string_view raw);
  static base::Result<PublicKey> Load(const std::filesystem::path& pem_file);

  std::string Pem() const;
  std::string Der() const;
  // What people compare, in the form that ssh uses: "SHA256:" and the SHA-256 of Der() in base64.
  std::string Fingerprint() const;

  bool Verifies(std::string_view message, std::string_view signature) const;

  bool operator==(const PublicKey&) const = default;

 private:
  std::array<unsigned char, kBytes> raw_{};
};

class PrivateKey {
 public:
  static base::Result<PrivateKey> Create();
  // The 32 secret bytes of RFC 8032.
  static base::Result<PrivateKey> FromSeed(std::string_view seed);
  // PKCS#8 as PEM, without a passphrase. Refuses a file that others than its owner may read.
  static base::Result<PrivateKey> Load(const std::filesystem::path& pem_file);

  // Writes a new file that only its owner may read; all of it or nothing. kAlreadyExists, and
  // nothing changed, if there is one.
  base::Status SaveNew(const std::filesystem::path& pem_file) const;

  PublicKey public_key() const;
  std::string Sign(std::string_view message) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;  // overwrites the secret
  };
  explicit PrivateKey(evp_pkey_st* key) : key_(key) {}

  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace switchyard::certify
