#include "model/internal/jinja/template.h"

#include <new>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/lexer.h"
#include "model/internal/jinja/parser.h"
#include "model/internal/jinja/renderer.h"
#include "model/internal/jinja/scopes.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

// The longest published template has 17 KB.
constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;

std::unexpected<base::Error> ToError(const Failure& failure, int line) {
  // raise_exception speaks to the user itself.
  if (failure.kind() == FailureKind::kRaised) {
    return std::unexpected(base::Error{base::ErrorCode::kInvalidArgument, failure.message()});
  }
  const auto code = failure.kind() == FailureKind::kLimit ? base::ErrorCode::kResourceExhausted
                                                          : base::ErrorCode::kInvalidArgument;
  return base::Fail(code, "chat template, line {}: {}", line, failure.message());
}

}  // namespace

base::Result<std::unique_ptr<Template>> Template::Parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the chat template has {} bytes; at most {} are supported", source.size(),
                      kMaxSourceBytes);
  }
  if (!unicode::IsValidUtf8(source)) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "the chat template is not valid UTF-8");
  }
  int line = 1;
  try {
    auto compiled = std::make_unique<Template>();
    compiled->tree_.body = Parser(Tokenize(source, &line), &line).ParseTemplate();
    BindVariables(&compiled->tree_, &line);
    return compiled;
  } catch (const Failure& failure) {
    return ToError(failure, line);
  }
}

base::Result<std::string> Template::Render(const base::Json& context,
                                           std::chrono::system_clock::time_point now,
                                           const RenderLimits& limits) const {
  if (!context.is_object()) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "a chat template's context must be a JSON object, not {}",
                      context.type_name());
  }
  Renderer renderer(tree_, context, now, limits);
  try {
    return renderer.Render();
  } catch (const Failure& failure) {
    return ToError(failure, renderer.line());
  } catch (const std::bad_alloc&) {
    return base::Fail(base::ErrorCode::kResourceExhausted, "chat template, line {}: out of memory",
                      renderer.line());
  }
}

}  // namespace switchyard::model::jinja
