#include "gateway/member_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "base/json_reading.h"

namespace switchyard::gateway {
namespace {

using base::At;
using base::CountAt;
using base::ErrorCode;
using base::Fail;
using base::FlagAt;
using base::Json;
using base::NumberAt;
using base::TextAt;
using base::TextsAt;

constexpr std::size_t kToSeconds = sizeof "2026-11-29T03:54:12" - 1;

// One of the two clocks may be wrong; who is not sure does not vouch.
policy::CertificateState CertificateOf(const Json& certificate, std::string_view now) {
  const std::string end = TextAt(certificate, "expires");
  const bool is_over = !end.empty() && end.substr(0, kToSeconds) < now.substr(0, kToSeconds);
  if (FlagAt(certificate, "in_force") && !is_over) return policy::CertificateState::kInForce;
  return At(certificate, "against").is_string() ? policy::CertificateState::kExpired
                                                : policy::CertificateState::kNone;
}

// An answer may come from any of the member's chips, so the worst of them counts.
template <typename Certificates>
policy::CertificateState WorstOf(const Certificates& certificates) {
  if (certificates.empty()) return policy::CertificateState::kNone;
  return *std::ranges::min_element(certificates);
}

policy::CertificateState CertificateOfReplicas(const Json& replicas, std::string_view now) {
  std::vector<policy::CertificateState> states;
  if (replicas.is_array()) {
    for (const Json& replica : replicas) {
      if (!FlagAt(replica, "lost")) {
        states.push_back(CertificateOf(At(replica, "certificate"), now));
      }
    }
  }
  return WorstOf(states);
}

policy::CertificateState CertificateOfChips(const Json& chips, std::string_view now) {
  std::vector<policy::CertificateState> states;
  if (chips.is_array()) {
    for (const Json& certificate : chips) states.push_back(CertificateOf(certificate, now));
  }
  return WorstOf(states);
}

struct Sample {
  std::string_view name;
  double value = 0;
};

// One line of Prometheus' text form: NAME{labels} VALUE [TIME].
std::optional<Sample> ReadSample(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::nullopt;
  std::size_t value_begin = name_end;
  if (line[name_end] == '{') {
    // A label's value may hold '}'; none that is of interest here does.
    value_begin = line.find('}', name_end);
    if (value_begin == std::string_view::npos) return std::nullopt;
    ++value_begin;
  }
  value_begin = line.find_first_not_of(' ', value_begin);
  if (value_begin == std::string_view::npos) return std::nullopt;
  Sample sample{.name = line.substr(0, name_end)};
  const auto [end, error] =
      std::from_chars(line.data() + value_begin, line.data() + line.size(), sample.value);
  if (error != std::errc() || !std::isfinite(sample.value) || sample.value < 0) return std::nullopt;
  return sample;
}

std::int64_t Count(double value) { return static_cast<std::int64_t>(std::min(value, 1e12)); }

}  // namespace

base::Result<MemberState> ReadState(std::string_view text, std::string_view now) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(text, "the member's state"));
  if (CountAt(json, "version") != 1) {
    return Fail(
        ErrorCode::kUnimplemented,
        "the member's state is not version 1 of its protocol; this gateway knows that only");
  }
  MemberState state;
  state.is_heard_of = true;
  state.program = TextAt(json, "program");
  const Json& drain = At(json, "drain");
  state.is_draining = FlagAt(drain, "draining") || FlagAt(drain, "stopping");
  state.load.running = CountAt(json, "running");
  state.load.waiting = CountAt(json, "waiting");
  state.load.prefill_tokens = CountAt(json, "prefill_tokens");
  const Json& pages = At(json, "kv_pages");
  if (const double total = NumberAt(pages, "total"); total > 0) {
    state.load.kv_share = NumberAt(pages, "in_use") / total;
  }
  state.abilities = kOurAbilities;
  const Json& model = At(json, "model");
  ModelState served{.name = TextAt(model, "id")};
  if (served.name.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the member's state names no model");
  }
  served.upstream = served.name;
  served.aliases = TextsAt(model, "aliases");
  served.context_tokens = CountAt(model, "context_tokens");
  served.vocabulary = CountAt(model, "vocabulary");
  served.sha256 = TextAt(model, "sha256");
  served.is_deterministic = FlagAt(At(json, "deterministic"), "is_deterministic");
  served.certificate = CertificateOfReplicas(At(json, "replicas"), now);
  state.models.push_back(std::move(served));
  return state;
}

base::Result<std::vector<ModelState>> ReadModels(std::string_view text, std::string_view now) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(text, "the member's list of models"));
  const Json& list = At(json, "data");
  if (!list.is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "the member's list of models has no 'data'");
  }
  std::vector<ModelState> models;
  for (const Json& entry : list) {
    ModelState model{.name = TextAt(entry, "id")};
    if (model.name.empty()) continue;
    model.upstream = model.name;
    model.context_tokens = CountAt(entry, "max_model_len");
    model.certificate = CertificateOfChips(At(At(entry, "switchyard"), "certificates"), now);
    models.push_back(std::move(model));
  }
  return models;
}

std::optional<policy::Load> ReadMetrics(std::string_view text) {
  policy::Load load;
  bool is_known = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto sample = ReadSample(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!sample) continue;
    const std::string_view name = sample->name;
    bool is_this = true;
    if (name == "vllm:num_requests_running" || name == "sglang:num_running_reqs" ||
        name == "llamacpp:requests_processing") {
      load.running += Count(sample->value);  // of each engine behind the server
    } else if (name == "vllm:num_requests_waiting" || name == "sglang:num_queue_reqs" ||
               name == "llamacpp:requests_deferred") {
      load.waiting += Count(sample->value);
    } else if (name == "vllm:kv_cache_usage_perc" || name == "vllm:gpu_cache_usage_perc" ||
               name == "sglang:token_usage" || name == "llamacpp:kv_cache_usage_ratio") {
      load.kv_share = std::max(load.kv_share, std::min(sample->value, 1.0));
    } else {
      is_this = false;
    }
    is_known |= is_this;
  }
  return is_known ? std::optional(load) : std::nullopt;
}

}  // namespace switchyard::gateway
