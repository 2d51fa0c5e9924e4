// A certificate as a page for people: one file of HTML with plots, without scripts and without
// anything from elsewhere, for screens wide and narrow, light and dark, and for paper. It is
// well-formed XML too. Pure function; everything from outside is escaped.
#pragma once

#include <string>

#include "certify/certificate.h"

namespace switchyard::certify {

// The page shows what the certificate's file says and is itself not signed.
struct PageSignature {
  std::string file_name;        // of the certificate
  std::string key_fingerprint;  // PublicKey::Fingerprint
  std::string value;            // in base64
};

std::string Page(const Certificate& certificate, const PageSignature& signature);

}  // namespace switchyard::certify
