// A certificate's file, or a certificate alone: refused, or equal to itself after being written and
// read again; its page can be made and judged. A signature by a key that we do not have never
// holds.
#include <cstdlib>

#include "certify/certificate_json.h"
#include "certify/page.h"
#include "certify/signed_certificate.h"
#include "certify/validity.h"

namespace {

using switchyard::base::Json;
using namespace switchyard::certify;

void CheckCertificate(const Certificate& certificate) {
  const Json json = ToJson(certificate);
  const auto again = FromJson(json);
  if (!again || ToJson(*again) != json) std::abort();
  const std::string page = Page(certificate, {"fuzz.json", "key", "value"});
  if (page.find("<script") != std::string::npos || page.size() > (std::size_t{8} << 20)) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto file = ReadSigned(text, "fuzz")) {
    CheckCertificate(file->certificate);
    // Without a single trusted key there is always a reason.
    if (ReasonsAgainst(*file, {}).empty()) std::abort();
  }
  if (const auto json = switchyard::base::ParseJson(text, "fuzz")) {
    if (const auto certificate = FromJson(*json)) CheckCertificate(*certificate);
  }
  return 0;
}
