// Where certificates and the keys that sign them lie on this machine. The signing key is
// switchyard/certify.key below the folder of configuration, its public half certify.pub.pem beside
// it; keys of others that are trusted are the files switchyard/trusted/*.pem. One thread; several
// processes may make the first key at the same time, and get the same one.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/signature.h"
#include "cli/environment.h"

namespace switchyard::cli {

struct SigningKey {
  certify::PrivateKey key;
  std::filesystem::path file;
  std::filesystem::path public_file;  // to be given to those who shall trust it
  bool is_new = false;                // tell the user
};

// Made where there is none.
base::Result<SigningKey> OpenSigningKey(const Environment& environment);

struct TrustedKey {
  certify::PublicKey key;
  std::filesystem::path file;
};

// The own key if there is one, the trusted folder's, then `further` files. A file that is no public
// key is an error: a key that one believes to trust should not be missing silently.
base::Result<std::vector<TrustedKey>> ReadTrustedKeys(
    const Environment& environment, std::span<const std::filesystem::path> further);

struct CertificateFiles {
  std::filesystem::path json;
  std::filesystem::path page;
};

// Signs the certificate and writes it to `json` and its page beside it, as .html; each file whole
// or not at all.
base::Result<CertificateFiles> WriteCertificate(const certify::Certificate& certificate,
                                                const certify::PrivateKey& key,
                                                const std::filesystem::path& json);

// Refuses what is longer than any certificate.
base::Result<std::string> ReadCertificateText(const std::filesystem::path& path);

}  // namespace switchyard::cli
