#include "cli/certificate_files.h"

#include <algorithm>
#include <utility>

#include "base/text_file.h"
#include "certify/page.h"
#include "certify/signed_certificate.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kMaxTrustedKeys = 1000;

fs::path KeyFolder(const Environment& environment) {
  return environment.ConfigFolder() / "switchyard";
}

Result<std::vector<fs::path>> PemFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".pem") files.push_back(entry->path());
  }
  if (error) {
    return Fail(ErrorCode::kUnavailable, "cannot list the trusted keys in '{}': {}",
                folder.string(), error.message());
  }
  if (files.size() > kMaxTrustedKeys) {
    return Fail(ErrorCode::kResourceExhausted, "'{}' holds {} keys; at most {} are read",
                folder.string(), files.size(), kMaxTrustedKeys);
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<SigningKey> OpenSigningKey(const Environment& environment) {
  const fs::path folder = KeyFolder(environment);
  const fs::path file = folder / "certify.key";
  const fs::path public_file = folder / "certify.pub.pem";
  bool is_new = false;
  auto key = certify::PrivateKey::Load(file);
  if (!key && key.error().code == ErrorCode::kNotFound) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      return Fail(ErrorCode::kPermissionDenied, "cannot make '{}' for the signing key: {}",
                  folder.string(), error.message());
    }
    SWITCHYARD_TRY(const certify::PrivateKey made, certify::PrivateKey::Create());
    const Status saved = made.SaveNew(file);
    if (!saved && saved.error().code != ErrorCode::kAlreadyExists) {
      return std::unexpected(saved.error());
    }
    is_new = saved.has_value();
    key = certify::PrivateKey::Load(file);  // ours, or that of who was first
  }
  if (!key) return std::unexpected(std::move(key.error()));
  const auto known = certify::PublicKey::Load(public_file);
  if (!known || *known != key->public_key()) {
    SWITCHYARD_RETURN_IF_ERROR(base::WriteTextFile(public_file, key->public_key().Pem()));
  }
  return SigningKey{*std::move(key), file, public_file, is_new};
}

Result<std::vector<TrustedKey>> ReadTrustedKeys(const Environment& environment,
                                                std::span<const fs::path> further) {
  std::vector<TrustedKey> keys;
  const fs::path own = KeyFolder(environment) / "certify.key";
  if (const auto key = certify::PrivateKey::Load(own)) {
    keys.push_back({key->public_key(), own});
  } else if (key.error().code != ErrorCode::kNotFound) {
    return std::unexpected(key.error());
  }
  SWITCHYARD_TRY(std::vector<fs::path> files, PemFiles(KeyFolder(environment) / "trusted"));
  files.insert(files.end(), further.begin(), further.end());
  for (const fs::path& file : files) {
    SWITCHYARD_TRY(const certify::PublicKey key, certify::PublicKey::Load(file));
    keys.push_back({key, file});
  }
  return keys;
}

Result<CertificateFiles> WriteCertificate(const certify::Certificate& certificate,
                                          const certify::PrivateKey& key, const fs::path& json) {
  CertificateFiles files{json, fs::path(json).replace_extension(".html")};
  if (files.page == files.json) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is where the page would lie; give the certificate a name that ends in .json",
                json.string());
  }
  const std::string text = certify::WriteSigned(certificate, key);
  // Whatever was measured, a file that cannot be read again is none.
  SWITCHYARD_TRY(const certify::SignedCertificate read, certify::ReadSigned(text, json.string()));
  const std::string page =
      certify::Page(read.certificate, {.file_name = json.filename().string(),
                                       .key_fingerprint = read.key.Fingerprint(),
                                       .value = read.signature});
  SWITCHYARD_RETURN_IF_ERROR(base::WriteTextFile(files.json, text));
  SWITCHYARD_RETURN_IF_ERROR(base::WriteTextFile(files.page, page));
  return files;
}

Result<std::string> ReadCertificateText(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return Fail(ErrorCode::kNotFound, "there is no certificate '{}'", path.string());
  }
  // One byte too many is refused by who reads it.
  auto text = base::ReadTextFile(path, certify::kMaxCertificateBytes + 1);
  if (!text) {
    return Fail(ErrorCode::kUnavailable, "cannot read the certificate '{}'", path.string());
  }
  return *std::move(text);
}

}  // namespace switchyard::cli
