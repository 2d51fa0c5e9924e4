#include "status.h"

#include <cstdarg>
#include <cstdio>

namespace switchyard::cpu {
namespace {

std::string& LastSentence() {
  thread_local std::string sentence;
  return sentence;
}

}  // namespace

std::unexpected<Error> Fail(sy_status code, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return std::unexpected(Error{code, text});
}

sy_status Report(const Error& error) {
  LastSentence() = error.message;
  return error.code;
}

sy_status Report(const Status& status) {
  if (status) return SY_OK;
  return Report(status.error());
}

const char* LastError() { return LastSentence().c_str(); }

}  // namespace switchyard::cpu
