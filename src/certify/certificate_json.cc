#include "certify/certificate_json.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

#include "certify/plain_text.h"
#include "certify/utc_time.h"

namespace switchyard::certify {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

// Far above what a certificate of any model needs, and little enough to hold and to show.
constexpr std::size_t kMaxTextBytes = 64 << 10;
constexpr std::size_t kMaxElements = 20'000;
// Whole numbers that every reader of JSON holds exactly.
constexpr std::int64_t kMaxInteger = std::int64_t{1} << 53;

template <typename T, typename Struct>
concept Is = std::same_as<std::remove_const_t<T>, Struct>;

// KL cannot be negative, but rounding makes it so.
constexpr double kAnyNumber = -std::numeric_limits<double>::max();

struct Time {};  // tells that a text is one

// ---- The fields of each struct, in the order of the file; described once for both directions ----
// `field` is called with the name in JSON, the member, and for some what else must hold: the least
// value of a number (0 where none is said), or Time.

void Describe(Is<ModelFingerprint> auto& model, auto& field) {
  field("name", model.name);
  field("sha256", model.sha256);
  field("architecture", model.architecture);
  field("weight_types", model.weight_types);
  field("kv_type", model.kv_type);
}

void Describe(Is<SideFingerprint> auto& side, auto& field) {
  field("chip", side.chip);
  field("index", side.index);
  field("plugin_sha256", side.plugin_sha256);
  field("device", side.device);
  field("maker", side.maker);
  field("architecture", side.architecture);
  field("proof", side.proof);
  field("units", side.units);
  field("options", side.options);
}

void Describe(Is<MachineFingerprint> auto& machine, auto& field) {
  field("processor", machine.processor);
  field("cores", machine.cores);
  field("memory_bytes", machine.memory_bytes);
  field("system", machine.system);
  field("id", machine.id);
}

void Describe(Is<Fingerprint> auto& fingerprint, auto& field) {
  field("model", fingerprint.model);
  field("a", fingerprint.a);
  field("b", fingerprint.b);
  field("machine", fingerprint.machine);
  field("program", fingerprint.program);
}

void Describe(Is<KlBounds> auto& bounds, auto& field) {
  field("mean", bounds.mean);
  field("p99", bounds.p99);
  field("worst", bounds.worst);
}

void Describe(Is<Divergence> auto& divergence, auto& field) {
  field("scenario", divergence.scenario);
  field("is_prefill", divergence.is_prefill);
  field("sequences", divergence.sequences);
  field("step_tokens", divergence.step_tokens);
  field("context", divergence.context);
  field("positions", divergence.positions);
  field("mean_kl", divergence.mean_kl, kAnyNumber);
  field("p99_kl", divergence.p99_kl, kAnyNumber);
  field("worst_kl", divergence.worst_kl, kAnyNumber);
  field("same_best", divergence.same_best);
  field("perplexity_a", divergence.perplexity_a);
  field("perplexity_b", divergence.perplexity_b);
  field("kl_quantiles", divergence.kl_quantiles, kAnyNumber);
}

void Describe(Is<GreedyText> auto& text, auto& field) {
  field("prompt", text.prompt);
  field("tokens", text.tokens);
  field("first_difference", text.first_difference);
  field("gap", text.gap);
}

void Describe(Is<LayerDrift> auto& drift, auto& field) {
  field("layer", drift.layer, -1);
  field("nmse", drift.nmse);
}

void Describe(Is<OperationAgreement> auto& agreement, auto& field) {
  field("operation", agreement.operation);
  field("weight_type", agreement.weight_type);
  field("compared", agreement.compared);
  field("exceeded", agreement.exceeded);
  field("on_fallback", agreement.on_fallback);
  field("worst_nmse", agreement.worst_nmse);
  field("worst_share", agreement.worst_share);
  field("reason", agreement.reason);
}

void Describe(Is<OperationExcess> auto& excess, auto& field) {
  field("step", excess.step);
  field("layer", excess.layer, -1);
  field("operation", excess.operation);
  field("weight", excess.weight);
  field("shape", excess.shape);
  field("complaint", excess.complaint);
}

void Describe(Is<Soak> auto& soak, auto& field) {
  field("steps", soak.steps);
  field("seconds", soak.seconds);
  field("changed", soak.changed);
  field("worst_kl", soak.worst_kl, kAnyNumber);
  field("first_excess", soak.first_excess);
}

void Describe(Is<PhaseSpeed> auto& phase, auto& field) {
  field("phase", phase.phase);
  field("tokens_per_s", phase.tokens_per_s);
  field("share_of_ceiling", phase.share_of_ceiling);
  field("ceiling", phase.ceiling);
}

void Describe(Is<OperationCost> auto& cost, auto& field) {
  field("phase", cost.phase);
  field("operation", cost.operation);
  field("shape", cost.shape);
  field("count", cost.count);
  field("ms", cost.ms);
  field("share_of_step", cost.share_of_step);
  field("share_of_ceiling", cost.share_of_ceiling);
  field("ceiling", cost.ceiling);
  field("gain_at_80", cost.gain_at_80, kAnyNumber);
  field("on_fallback", cost.on_fallback);
}

void Describe(Is<Efficiency> auto& efficiency, auto& field) {
  field("memory_gb_s", efficiency.memory_gb_s);
  field("gflop_s", efficiency.gflop_s);
  field("phases", efficiency.phases);
  field("costs", efficiency.costs);
}

void Describe(Is<Check> auto& check, auto& field) {
  field("what", check.what);
  field("found", check.found);
  field("bound", check.bound);
  field("is_kept", check.is_kept);
}

void Describe(Is<Verdict> auto& verdict, auto& field) {
  field("is_equivalent", verdict.is_equivalent);
  field("sentence", verdict.sentence);
  field("guilty", verdict.guilty);
  field("checks", verdict.checks);
}

void Describe(Is<Certificate> auto& certificate, auto& field) {
  field("issued", certificate.issued, Time());
  field("expires", certificate.expires, Time());
  field("verdict", certificate.verdict);
  field("fingerprint", certificate.fingerprint);
  field("operands", certificate.operands);
  field("load_report", certificate.load_report);
  field("kl_bounds", certificate.kl_bounds);
  field("divergences", certificate.divergences);
  field("greedy", certificate.greedy);
  field("drift", certificate.drift);
  field("operations", certificate.operations);
  field("excesses", certificate.excesses);
  field("soak", certificate.soak);
  field("efficiency", certificate.efficiency);
}

// ---- Writing ----

template <typename T>
Json Write(const T& value);

Json Write(const std::string& text) { return PlainText(text); }
Json Write(const bool& value) { return value; }
Json Write(const double& value) { return std::isfinite(value) ? Json(value) : Json(); }
template <std::integral T>
Json Write(const T& value) {
  return value;
}
template <typename T>
Json Write(const std::optional<T>& value) {
  return value ? Write(*value) : Json();
}
template <typename T>
Json Write(const std::vector<T>& values) {
  Json json = Json::array();
  for (const T& value : values) json.push_back(Write(value));
  return json;
}
Json Write(const std::map<std::string, double>& values) {
  Json json = Json::object();
  for (const auto& [key, value] : values) json[PlainText(key)] = Write(value);
  return json;
}

template <typename T>
Json Write(const T& value) {
  Json json = Json::object();
  auto field = [&json](const char* name, const auto& member, const auto&...) {
    json[name] = Write(member);
  };
  Describe(value, field);
  return json;
}

// ---- Reading: the first complaint ends it ----

class Reader {
 public:
  base::Status status() const { return status_; }

  // The whole file; its "format", which was read before, is a field more.
  void Read(const Json& json, Certificate& certificate) { ReadFields(json, "", 1, certificate); }

 private:
  void Refuse(const std::string& path, std::string_view why) {
    if (status_) status_ = Fail(ErrorCode::kInvalidArgument, "{} {}", path, why);
  }

  template <typename T>
  void ReadFields(const Json& json, const std::string& path, std::size_t other_fields, T& value) {
    if (!json.is_object()) {
      Refuse(path, "is not an object");
      return;
    }
    std::size_t known = other_fields;
    auto field = [&](const char* name, auto& member, auto... what) {
      if (!status_) return;
      const std::string inner = path.empty() ? name : path + "." + name;
      const auto found = json.find(name);
      if (found == json.end()) {
        Refuse(inner, "is missing");
        return;
      }
      ++known;
      ReadValue(*found, inner, member, what...);
    };
    Describe(value, field);
    if (status_ && known < json.size()) RefuseUnknown(json, path, value);
  }

  // A field that this program does not know could limit what the rest means.
  template <typename T>
  void RefuseUnknown(const Json& json, const std::string& path, T& value) {
    for (const auto& [key, unused] : json.items()) {
      bool is_known = path.empty() && key == "format";
      auto field = [&](const char* name, const auto&...) { is_known = is_known || key == name; };
      Describe(value, field);
      if (!is_known) {
        Refuse(path.empty() ? "the certificate" : path,
               fmt::format("has a field '{}' that \"{}\" does not have; a newer program made it",
                           PlainText(key).substr(0, 80), kCertificateFormat));
        return;
      }
    }
  }

  void ReadValue(const Json& json, const std::string& path, std::string& value) {
    if (!json.is_string()) {
      Refuse(path, "is not a text");
      return;
    }
    const auto& text = json.get_ref<const std::string&>();
    if (text.size() > kMaxTextBytes) {
      Refuse(path, fmt::format("is longer than {} bytes", kMaxTextBytes));
    } else if (PlainText(text) != text) {
      Refuse(path, "holds control characters or is not UTF-8");
    } else {
      value = text;
    }
  }

  void ReadValue(const Json& json, const std::string& path, std::string& value, Time) {
    ReadValue(json, path, value);
    if (!status_) return;
    if (const auto time = ParseUtcTime(value); !time) Refuse(path + ":", time.error().message);
  }

  void ReadValue(const Json& json, const std::string& path, bool& value) {
    if (json.is_boolean()) {
      value = json.get<bool>();
    } else {
      Refuse(path, "is neither true nor false");
    }
  }

  template <std::integral T>
  void ReadValue(const Json& json, const std::string& path, T& value, std::int64_t least = 0) {
    constexpr auto kMax = static_cast<std::int64_t>(
        std::min<std::uint64_t>(std::numeric_limits<T>::max(), kMaxInteger));
    const bool fits = json.is_number_unsigned()
                          ? json.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMax)
                          : json.is_number_integer() && json.get<std::int64_t>() <= kMax;
    if (!fits || json.get<std::int64_t>() < least) {
      Refuse(path, fmt::format("is not a whole number from {} to {}", least, kMax));
      return;
    }
    value = static_cast<T>(json.get<std::int64_t>());
  }

  void ReadValue(const Json& json, const std::string& path, double& value, double least = 0) {
    if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
      return;
    }
    if (!json.is_number()) {
      Refuse(path, "is not a number");
      return;
    }
    value = json.get<double>();
    if (!std::isfinite(value)) {
      Refuse(path, "is too large a number");
    } else if (value < least) {
      Refuse(path, fmt::format("is {}, below {}", value, least));
    }
  }

  template <typename T>
  void ReadValue(const Json& json, const std::string& path, std::optional<T>& value) {
    value.reset();
    if (!json.is_null()) ReadValue(json, path, value.emplace());
  }

  template <typename T>
  void ReadValue(const Json& json, const std::string& path, std::vector<T>& values, auto... what) {
    if (!json.is_array()) {
      Refuse(path, "is not a list");
      return;
    }
    if (json.size() > kMaxElements) {
      Refuse(path, fmt::format("has more than {} elements", kMaxElements));
      return;
    }
    values.clear();
    for (std::size_t i = 0; i < json.size() && status_; ++i) {
      ReadValue(json[i], fmt::format("{}[{}]", path, i), values.emplace_back(), what...);
    }
  }

  void ReadValue(const Json& json, const std::string& path, std::map<std::string, double>& values) {
    if (!json.is_object()) {
      Refuse(path, "is not an object");
      return;
    }
    values.clear();
    for (const auto& [key, number] : json.items()) {
      std::string name;
      ReadValue(Json(key), path + "'s key", name);
      if (status_) ReadValue(number, fmt::format("{}.{}", path, name), values[name]);
      if (!status_) return;
    }
  }

  template <typename T>
    requires std::is_class_v<T>
  void ReadValue(const Json& json, const std::string& path, T& value) {
    ReadFields(json, path, 0, value);
  }

  base::Status status_;
};

}  // namespace

Json ToJson(const Certificate& certificate) {
  Json json = {{"format", kCertificateFormat}};
  json.update(Write(certificate));
  return json;
}

base::Result<Certificate> FromJson(const Json& json) {
  const auto format = json.is_object() ? json.find("format") : json.end();
  if (!json.is_object() || format == json.end() || *format != kCertificateFormat) {
    return Fail(ErrorCode::kInvalidArgument,
                "this is not a certificate: its \"format\" is not \"{}\"", kCertificateFormat);
  }
  Certificate certificate;
  Reader reader;
  reader.Read(json, certificate);
  SWITCHYARD_RETURN_IF_ERROR(reader.status());
  return certificate;
}

}  // namespace switchyard::certify
