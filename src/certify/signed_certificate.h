// A certificate's file: {"certificate": {...}, "signature": {"algorithm", "public_key", "value"}}.
// What is signed is the text of the certificate as it stands in the file, less the white space
// between its parts; so no program that checks it need spell numbers as ours does. What is read is
// that same text, so that the signature covers whatever is believed. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/signature.h"

namespace switchyard::certify {

// Beyond any certificate that we write.
inline constexpr std::size_t kMaxCertificateBytes = std::size_t{16} << 20;

struct SignedCertificate {
  Certificate certificate;
  PublicKey key;                  // that the file names, trusted or not
  bool is_signed_by_key = false;  // the signature is that key's and of this text
  std::string signature;          // in base64
};

// The file's text, indented for people.
std::string WriteSigned(const Certificate& certificate, const PrivateKey& key);

// A wrong signature is no error here: validity.h lists it among the reasons. `subject` names the
// text in errors.
base::Result<SignedCertificate> ReadSigned(std::string_view text, std::string_view subject);

}  // namespace switchyard::certify
