#include "server/chip_certificate.h"

namespace switchyard::server {

bool IsInForce(const std::optional<ChipCertificate>& certificate) {
  return certificate && std::chrono::system_clock::now() < certificate->end;
}

base::Json CertificateJson(const std::optional<ChipCertificate>& certificate) {
  base::Json json = {{"in_force", IsInForce(certificate)},
                     {"against", nullptr},
                     {"issued", nullptr},
                     {"expires", nullptr},
                     {"key", nullptr}};
  if (!certificate) return json;
  json["against"] = certificate->against;
  json["issued"] = certificate->issued;
  json["expires"] = certificate->expires;
  json["key"] = certificate->key;
  return json;
}

}  // namespace switchyard::server
