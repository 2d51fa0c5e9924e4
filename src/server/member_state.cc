#include "server/member_state.h"

#include <algorithm>

#include "base/json.h"
#include "server/chip_metrics.h"
#include "server/member_drain.h"
#include "server/server_state.h"

namespace switchyard::server {
namespace {

using base::Json;

// What is not known is told as null, so that all keys are always there.
Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
Json NumberOrNull(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json CountsJson(const engine::EngineCounts& counts) {
  return {{"running", counts.running},
          {"waiting", counts.waiting},
          {"prefill_tokens", counts.prefill_tokens},
          {"kv_pages",
           {{"total", counts.kv_pages},
            {"in_use", counts.kv_pages_in_use},
            {"cached", counts.kv_pages_cached}}},
          {"recent",
           {{"computed_tokens_per_s", counts.computed_tokens_s},
            {"completion_tokens_per_s", counts.completion_tokens_s}}},
          {"since_start",
           {{"prompt_tokens", counts.prompt_tokens},
            {"cached_prompt_tokens", counts.cached_prompt_tokens},
            {"completion_tokens", counts.completion_tokens},
            {"preemptions", counts.preemptions},
            {"steps", counts.steps}}}};
}

Json ModelJson(const ServerState& state) {
  const ModelIdentity& identity = state.options.identity;
  return {{"id", state.options.model},
          {"aliases", state.options.aliases},
          {"sha256", TextOrNull(identity.sha256)},
          {"architecture", TextOrNull(identity.architecture)},
          {"weight_types", TextOrNull(identity.weight_types)},
          {"kv_type", TextOrNull(identity.kv_type)},
          {"vocabulary", state.text.vocabulary_size()},
          {"context_tokens", state.service.context_tokens()}};
}

Json ReplicaJson(const engine::ReplicaStatus& replica, const ServingChip& chip) {
  Json json = CountsJson(replica.counts);
  json["chip"] = chip.name;
  json["device"] = chip.device;
  json["maker"] = TextOrNull(chip.maker);
  json["code_path"] = TextOrNull(chip.code_path);
  json["proof"] = TextOrNull(chip.proof);
  json["certificate"] = CertificateJson(chip.certificate);
  json["fallback_operations"] = FallbackOperations(replica, chip);
  json["lost"] = replica.is_lost;
  json["memory_gb_per_s"] = NumberOrNull(chip.memory_gb_s);
  json["ceiling_share"] = NumberOrNull(CeilingShare(replica, chip));
  return json;
}

}  // namespace

void AnswerState(net::HttpRequest& /*request*/, ServerState& state,
                 const MemberReply& reply) {
  const engine::ServiceStatus status = state.service.Status();
  Json json = CountsJson(status);
  json["version"] = protocol::kMemberProtocolVersion;
  json["program"] = state.options.version;
  json["model"] = ModelJson(state);
  json["page_tokens"] = status.kv_page_tokens;
  json["drain"] = DrainJson(state);
  json["deterministic"] = {{"is_deterministic", state.options.determinism.is_deterministic},
                           {"why", TextOrNull(state.options.determinism.why)}};
  json["replicas"] = Json::array();
  const auto& chips = state.options.chips;
  for (std::size_t i = 0; i < std::min(chips.size(), status.replicas.size()); ++i) {
    json["replicas"].push_back(ReplicaJson(status.replicas[i], chips[i]));
  }
  reply(net::HttpResponse{.body = base::WriteJson(json)});
}

}  // namespace switchyard::server
