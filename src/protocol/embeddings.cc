#include "protocol/embeddings.h"

#include <bit>
#include <cmath>

#include "base/base64.h"
#include "base/json.h"
#include "protocol/field_reader.h"
#include "protocol/prompts.h"

namespace switchyard::protocol {
namespace {

constexpr std::int64_t kMostDimensions = 1 << 20;

// RFC 4648, section 4.
// As clients take them apart: little-endian floats.
std::string Base64(std::span<const float> values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(float));
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (std::uint32_t shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
  }
  return base::ToBase64(bytes);
}

std::vector<float> Shortened(std::span<const float> values, std::optional<std::int32_t> wanted) {
  if (!wanted || static_cast<std::size_t>(*wanted) >= values.size()) {
    return {values.begin(), values.end()};
  }
  const auto kept = values.first(static_cast<std::size_t>(*wanted));
  double squares = 0;
  for (const float value : kept) squares += static_cast<double>(value) * static_cast<double>(value);
  std::vector<float> shorter;
  for (const float value : kept) {
    shorter.push_back(
        squares == 0 ? 0.0F : static_cast<float>(static_cast<double>(value) / std::sqrt(squares)));
  }
  return shorter;
}

}  // namespace

ApiResult<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body,
                                                  const RequestLimits& limits) {
  auto json = ParseBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  FieldReader reader(*json);
  EmbeddingRequest request;
  const auto model = reader.String("model", kNameBytes);
  if (!model) reader.FailMissing("model");
  request.model = model.value_or("");
  request.inputs = ReadPrompts(reader, "input", limits.inputs, limits.prompt_tokens);
  const auto format = reader.String("encoding_format", kNameBytes).value_or("float");
  request.form.base64 = format == "base64";
  if (!request.form.base64 && format != "float") {
    reader.Fail(InvalidField("encoding_format", "invalid_value",
                             "Invalid value for 'encoding_format': supported values are 'float' "
                             "and 'base64'."));
  }
  if (const auto dimensions = reader.Integer("dimensions", 1, kMostDimensions)) {
    request.form.dimensions = static_cast<std::int32_t>(*dimensions);
  }
  request.truncate_prompt_tokens = ReadTruncation(reader);
  request.priority =
      static_cast<std::int32_t>(reader.Integer("priority", -1'000'000, 1'000'000).value_or(0));
  reader.String("user", kNameBytes);
  if (reader.error()) return std::unexpected(*reader.error());
  return request;
}

std::string EmbeddingAnswer(std::string_view model, std::span<const std::vector<float>> embeddings,
                            const EmbeddingForm& form, const Usage& usage) {
  base::Json data = base::Json::array();
  for (std::size_t i = 0; i < embeddings.size(); ++i) {
    const std::vector<float> values = Shortened(embeddings[i], form.dimensions);
    data.push_back({{"object", "embedding"}, {"index", i}});
    data.back()["embedding"] = form.base64 ? base::Json(Base64(values)) : base::Json(values);
  }
  return base::WriteJson(
      {{"object", "list"},
       {"data", std::move(data)},
       {"model", model},
       {"usage", {{"prompt_tokens", usage.prompt_tokens}, {"total_tokens", usage.prompt_tokens}}}});
}

}  // namespace switchyard::protocol
