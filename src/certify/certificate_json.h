// A certificate as JSON, and back. Whatever is read may be hostile: what is missing, of another
// type, out of range, too long or unknown to this format ends in a sentence that names the field.
// Pure functions.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "certify/certificate.h"

namespace switchyard::certify {

// The first field of every certificate; another set of fields gets another number.
inline constexpr std::string_view kCertificateFormat = "switchyard certificate 1";

// A number that is not finite becomes null. Text that is no UTF-8 or holds control characters is
// repaired, as FromJson would refuse it.
base::Json ToJson(const Certificate& certificate);

// Null where a measured number should be reads as "not a number", which no bound keeps.
base::Result<Certificate> FromJson(const base::Json& json);

}  // namespace switchyard::certify
