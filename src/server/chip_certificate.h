// The certificate that vouches for a chip's answers, as clients and gateways see it: it was found
// true at the start, and is in force until it expires. A value.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/json.h"

namespace switchyard::server {

struct ChipCertificate {
  std::string against;  // the chip that it was held against
  std::string issued;   // "2026-11-22T09:30:00Z"
  std::string expires;
  std::chrono::sys_seconds end;  // `expires`
  std::string key;               // "SHA256:…", who signed it
};

bool IsInForce(const std::optional<ChipCertificate>& certificate);

// {"in_force": …, "against", "issued", "expires", "key"}; where there is none, all but the first
// are null.
base::Json CertificateJson(const std::optional<ChipCertificate>& certificate);

}  // namespace switchyard::server
