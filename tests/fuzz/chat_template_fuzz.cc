// Any bytes as a chat template and, behind a NUL, as its JSON context: an answer or an error,
// within the bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "model/internal/jinja/template.h"

using switchyard::base::Json;
using switchyard::base::ParseJson;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\0');
  const auto parsed = switchyard::model::jinja::Template::Parse(input.substr(0, end));
  if (!parsed) return 0;
  Json context = {{"messages", {{{"role", "user"}, {"content", " Hi \xF0\x9F\x98\x80\n"}}}},
                  {"tools", {{{"function", {{"name", "f"}, {"parameters", Json::object()}}}}}},
                  {"add_generation_prompt", true},
                  {"bos_token", "<s>"}};
  if (end != std::string_view::npos) {
    auto given = ParseJson(input.substr(end + 1), "context");
    if (given && given->is_object()) context = *given;
  }
  // Small, so that an input that runs into a bound does so at once.
  switchyard::model::jinja::RenderLimits limits;
  limits.max_steps = 100'000;
  limits.max_memory_bytes = std::size_t{16} << 20;
  limits.max_output_bytes = std::size_t{1} << 20;
  static_cast<void>((*parsed)->Render(context, {}, limits));
  return 0;
}
