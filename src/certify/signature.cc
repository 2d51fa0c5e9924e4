#include "certify/signature.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/base64.h"

namespace switchyard::certify {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kMaxKeyFileBytes = 64 << 10;

template <auto kFree>
struct FreeBy {
  void operator()(auto* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using MessageContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using Memory = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Memory ReadFrom(std::string_view text) {
  Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  SWITCHYARD_CHECK(memory != nullptr);
  return memory;
}

std::string TextOf(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// Without it OpenSSL asks the terminal for the passphrase of an encrypted key.
int NoPassphrase(char*, int, int, void*) { return -1; }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct KeyFile {
  std::string text;
  mode_t mode = 0;
};

Result<KeyFile> ReadKeyFile(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const ErrorCode code = errno == ENOENT   ? ErrorCode::kNotFound
                           : errno == EACCES ? ErrorCode::kPermissionDenied
                                             : ErrorCode::kUnavailable;
    return Fail(code, "cannot open the key '{}': {}", path.string(), std::strerror(errno));
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, "the key '{}' is not a file", path.string());
  }
  KeyFile key{std::string(kMaxKeyFileBytes, '\0'), status.st_mode};
  std::size_t size = 0;
  while (size < key.text.size()) {
    const ssize_t count = ::read(file.get(), key.text.data() + size, key.text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Fail(ErrorCode::kUnavailable, "cannot read the key '{}': {}", path.string(),
                  std::strerror(errno));
    }
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  key.text.resize(size);
  return key;
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0;
}

Result<PublicKey> FromOpenSsl(const Key& key) {
  // Complaints of OpenSSL pile up in the thread; none of them says more than ours.
  ERR_clear_error();
  std::array<unsigned char, PublicKey::kBytes> raw{};
  std::size_t size = raw.size();
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size()) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalidArgument, "this is not an Ed25519 public key");
  }
  return PublicKey::FromRaw({reinterpret_cast<const char*>(raw.data()), raw.size()});
}

Key ToOpenSsl(const std::array<unsigned char, PublicKey::kBytes>& raw) {
  Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
  SWITCHYARD_CHECK(key != nullptr);
  return key;
}

}  // namespace

// ---- PublicKey ----

Result<PublicKey> PublicKey::FromPem(std::string_view pem) {
  const Memory memory = ReadFrom(pem.substr(0, kMaxKeyFileBytes));
  return FromOpenSsl(Key(PEM_read_bio_PUBKEY(memory.get(), nullptr, NoPassphrase, nullptr)));
}

Result<PublicKey> PublicKey::FromDer(std::string_view der) {
  const unsigned char* at = Bytes(der);
  const Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  SWITCHYARD_TRY(PublicKey read, FromOpenSsl(key));
  if (read.Der() != der) {
    return Fail(ErrorCode::kInvalidArgument, "this is not the one encoding of its public key");
  }
  return read;
}

Result<PublicKey> PublicKey::FromRaw(std::string_view raw) {
  if (raw.size() != kBytes) {
    return Fail(ErrorCode::kInvalidArgument, "an Ed25519 public key has {} bytes, not {}", kBytes,
                raw.size());
  }
  PublicKey key;
  std::memcpy(key.raw_.data(), raw.data(), kBytes);
  return key;
}

Result<PublicKey> PublicKey::Load(const std::filesystem::path& pem_file) {
  SWITCHYARD_TRY(const KeyFile file, ReadKeyFile(pem_file));
  auto key = FromPem(file.text);
  if (!key) return base::Rethrow(key.error(), "reading '{}'", pem_file.string());
  return key;
}

std::string PublicKey::Pem() const {
  const Memory memory(BIO_new(BIO_s_mem()));
  SWITCHYARD_CHECK(memory && PEM_write_bio_PUBKEY(memory.get(), ToOpenSsl(raw_).get()) == 1);
  return TextOf(memory);
}

std::string PublicKey::Der() const {
  const Memory memory(BIO_new(BIO_s_mem()));
  SWITCHYARD_CHECK(memory && i2d_PUBKEY_bio(memory.get(), ToOpenSsl(raw_).get()) == 1);
  return TextOf(memory);
}

std::string PublicKey::Fingerprint() const {
  const std::string der = Der();
  std::string digest(32, '\0');
  SWITCHYARD_CHECK(EVP_Digest(der.data(), der.size(),
                              reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                              EVP_sha256(), nullptr) == 1);
  return "SHA256:" + base::ToBase64(digest);
}

bool PublicKey::Verifies(std::string_view message, std::string_view signature) const {
  if (signature.size() != kSignatureBytes) return false;
  const Key key = ToOpenSsl(raw_);
  const MessageContext context(EVP_MD_CTX_new());
  SWITCHYARD_CHECK(context != nullptr);
  const bool holds =
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                       message.size()) == 1;
  ERR_clear_error();
  return holds;
}

// ---- PrivateKey ----

void PrivateKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<PrivateKey> PrivateKey::Create() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (key == nullptr) {
    ERR_clear_error();
    return Fail(ErrorCode::kUnavailable,
                "OpenSSL cannot make an Ed25519 key; it needs version 3 with its default provider");
  }
  return PrivateKey(key);
}

Result<PrivateKey> PrivateKey::FromSeed(std::string_view seed) {
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size());
  if (key == nullptr) {
    ERR_clear_error();
    return Fail(ErrorCode::kInvalidArgument, "the secret of an Ed25519 key has 32 bytes, not {}",
                seed.size());
  }
  return PrivateKey(key);
}

Result<PrivateKey> PrivateKey::Load(const std::filesystem::path& pem_file) {
  SWITCHYARD_TRY(KeyFile file, ReadKeyFile(pem_file));
  if ((file.mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Fail(ErrorCode::kPermissionDenied,
                "others may read the signing key '{}'; take that away with 'chmod 600', and make a "
                "new key if somebody may have done so",
                pem_file.string());
  }
  const Memory memory = ReadFrom(file.text);
  Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, NoPassphrase, nullptr));
  OPENSSL_cleanse(file.text.data(), file.text.size());
  ERR_clear_error();
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is not an Ed25519 private key in PEM without a passphrase; "
                "'openssl genpkey -algorithm ed25519' makes one",
                pem_file.string());
  }
  return PrivateKey(key.release());
}

Status PrivateKey::SaveNew(const std::filesystem::path& pem_file) const {
  const auto fail = [&](const char* what) {
    const int problem = errno;
    return Fail(problem == EEXIST ? ErrorCode::kAlreadyExists : ErrorCode::kUnavailable,
                "cannot {} the signing key '{}': {}", what, pem_file.string(),
                std::strerror(problem));
  };
  const Memory memory(BIO_new(BIO_s_mem()));
  SWITCHYARD_CHECK(memory && PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr,
                                                           nullptr, 0, nullptr, nullptr) == 1);
  char* pem = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &pem);

  // Written aside, then linked: unlike a rename this fails where there is a key already.
  std::string aside = pem_file.string() + ".XXXXXX";
  const Descriptor file(::mkostemp(aside.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return fail("make");
  const bool is_written = WriteAll(file.get(), {pem, static_cast<std::size_t>(size)});
  OPENSSL_cleanse(pem, static_cast<std::size_t>(size));
  const bool is_linked = is_written && ::link(aside.c_str(), pem_file.c_str()) == 0;
  const Status outcome = is_linked ? Status() : fail("write");
  ::unlink(aside.c_str());
  return outcome;
}

PublicKey PrivateKey::public_key() const {
  std::array<unsigned char, PublicKey::kBytes> raw{};
  std::size_t size = raw.size();
  SWITCHYARD_CHECK(EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size) == 1);
  return *PublicKey::FromRaw({reinterpret_cast<const char*>(raw.data()), size});
}

std::string PrivateKey::Sign(std::string_view message) const {
  const MessageContext context(EVP_MD_CTX_new());
  std::string signature(PublicKey::kSignatureBytes, '\0');
  std::size_t size = signature.size();
  SWITCHYARD_CHECK(context &&
                   EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  SWITCHYARD_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                  &size, Bytes(message), message.size()) == 1 &&
                   size == signature.size());
  return signature;
}

}  // namespace switchyard::certify
