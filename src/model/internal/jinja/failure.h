// How a template fails inside the engine: an exception that never leaves it. Lexer, parser,
// evaluator, filters and lazy iterators fail at any depth, and some of them catch (as Python's int
// filter does), so unwinding follows Python here; Template turns a failure into a base::Error.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace switchyard::model::jinja {

enum class FailureKind {
  kSyntax,     // the template's text is wrong
  kUndefined,  // Python's jinja2.UndefinedError
  kType,       // Python's TypeError
  kValue,      // Python's ValueError, OverflowError, ZeroDivisionError
  kSecurity,   // jinja2's SecurityError
  kRuntime,    // jinja2's TemplateRuntimeError
  kRaised,     // the template called raise_exception
  kLimit,      // a bound on steps, depth, memory or output
};

class Failure : public std::exception {
 public:
  Failure(FailureKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  FailureKind kind() const { return kind_; }
  const std::string& message() const { return message_; }

 private:
  FailureKind kind_;
  std::string message_;
};

template <typename... Args>
[[noreturn]] void Raise(FailureKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Failure(kind, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace switchyard::model::jinja
