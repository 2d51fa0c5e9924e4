// Rewrites a pattern from Oniguruma's Ruby syntax, in which tokenizer files are written, into what
// means the same to PCRE2. Only regex.cc calls it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::model::tokenization {

base::Result<std::string> RewriteForPcre2(std::string_view pattern);

}  // namespace switchyard::model::tokenization
