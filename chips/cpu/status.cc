#include "status.h"

#include <cstdarg>
#include <cstdio>

namespace switchyard::cpu {

std::unexpected<Error> Fail(sy_status code, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return std::unexpected(Error{code, text});
}

}  // namespace switchyard::cpu
