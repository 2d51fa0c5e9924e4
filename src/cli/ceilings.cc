#include "cli/ceilings.h"

#include <array>
#include <chrono>

#include "base/text_file.h"
#include "tensor/dtype.h"

namespace switchyard::cli {
namespace {

constexpr std::int64_t kRememberSeconds = 7 * 24 * 3600;

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string KeyOf(const device::Device& device) {
  const sy_device_properties& p = device.properties();
  return fmt::format("{}/{}/{}/{}", device.chip().name(), p.name, p.architecture, p.unit_count);
}

// A remembered file that is missing or broken is the same as none.
base::Json ReadRemembered(const std::filesystem::path& path) {
  auto json = base::ParseJson(base::ReadTextFile(path).value_or(""), path.string());
  return json && json->is_object() ? std::move(*json) : base::Json::object();
}

std::optional<Ceilings> FromJson(const base::Json& json) {
  if (!json.is_object() || !json.contains("measured_at") ||
      !json["measured_at"].is_number_integer()) {
    return std::nullopt;
  }
  if (Now() - json["measured_at"].get<std::int64_t>() > kRememberSeconds) return std::nullopt;
  Ceilings ceilings;
  if (json.contains("memory_gb_s") && json["memory_gb_s"].is_number()) {
    ceilings.memory_gb_s = json["memory_gb_s"].get<double>();
  }
  if (json.contains("gflop_s") && json["gflop_s"].is_object()) {
    for (const auto& [type, value] : json["gflop_s"].items()) {
      if (value.is_number()) ceilings.gflop_s[type] = value.get<double>();
    }
  }
  return ceilings;
}

}  // namespace

Ceilings MeasureCeilings(const device::Device& device, const std::filesystem::path& cache_folder,
                         CeilingSource source) {
  const std::filesystem::path path = cache_folder / "ceilings.json";
  base::Json remembered = ReadRemembered(path);
  const std::string key = KeyOf(device);
  if (source == CeilingSource::kRemembered && remembered.contains(key)) {
    if (auto known = FromJson(remembered[key])) return *known;
  }
  Ceilings ceilings;
  if (auto value = device.MeasureCeiling(SY_CEILING_MEMORY_GB_S, SY_F32)) {
    ceilings.memory_gb_s = *value;
  }
  for (const auto dtype : std::array{tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kBF16,
                                     tensor::DType::kI8}) {
    if (auto value = device.MeasureCeiling(SY_CEILING_GFLOP_S, static_cast<sy_dtype>(dtype))) {
      ceilings.gflop_s[std::string(tensor::Name(dtype))] = *value;
    }
  }
  base::Json entry = ToJson(ceilings);
  entry["measured_at"] = Now();
  remembered[key] = std::move(entry);
  std::error_code ignored;  // not being able to remember only costs time
  std::filesystem::create_directories(cache_folder, ignored);
  static_cast<void>(base::WriteTextFile(path, base::WriteJson(remembered, 2) + "\n"));
  return ceilings;
}

base::Json ToJson(const Ceilings& ceilings) {
  base::Json json = base::Json::object();
  if (ceilings.memory_gb_s) json["memory_gb_s"] = *ceilings.memory_gb_s;
  json["gflop_s"] = base::Json::object();
  for (const auto& [type, value] : ceilings.gflop_s) json["gflop_s"][type] = value;
  return json;
}

}  // namespace switchyard::cli
