#include "gateway/member_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "gateway/member_record.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

std::string_view OwnerName(policy::Owner owner) {
  return owner == policy::Owner::kOwn ? "own" : "rented";
}
std::string_view KindName(MemberKind kind) {
  return kind == MemberKind::kSwitchyard ? "switchyard" : "openai";
}

// The keys of one object, read one after another; the first thing that is wrong is kept.
class JsonFields {
 public:
  JsonFields(const Json& json, std::string_view subject) : json_(json), subject_(subject) {
    if (!json.is_object()) Refuse("the whole", "must be an object");
  }

  void Text(std::string_view key, std::string& value) {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if (!found->is_string()) return Refuse(key, "must be a text");
    value = found->get<std::string>();
  }
  void Number(std::string_view key, double& value) {
    const Json* found = Find(key);
    if (found == nullptr) return;
    const double number = found->is_number() ? found->get<double>() : -1;
    if (!std::isfinite(number) || number < 0 || number > 1e9) {
      return Refuse(key, "must be a number from 0 to 1e9");
    }
    value = number;
  }
  // One of the two words.
  bool Choice(std::string_view key, std::string_view usual, std::string_view other) {
    std::string word(usual);
    Text(key, word);
    if (word != usual && word != other) Refuse(key, fmt::format("must be {} or {}", usual, other));
    return word == other;
  }
  const Json* Find(std::string_view key) {
    known_.emplace_back(key);
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(std::string(key));
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  void Refuse(std::string_view key, std::string_view what) {
    if (!status_) return;
    status_ = Fail(ErrorCode::kInvalidArgument, "{}: '{}' {}", subject_, key, what);
  }
  base::Status Done() {
    if (!status_) return status_;
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(known_, key) == known_.end()) {
        return Fail(ErrorCode::kInvalidArgument, "{}: there is no '{}' here; there is {}", subject_,
                    key, fmt::join(known_, ", "));
      }
    }
    return {};
  }

 private:
  const Json& json_;
  std::string_view subject_;
  std::vector<std::string> known_;
  base::Status status_;
};

base::Status ReadModel(const Json& json, std::string_view subject, MemberConfig& member) {
  ServedModel model;
  JsonFields fields(json, subject);
  double context = 0;
  fields.Text("name", model.name);
  model.upstream = model.name;
  fields.Text("upstream", model.upstream);
  fields.Number("context_tokens", context);
  if (model.name.empty()) fields.Refuse("name", "must say what the fleet calls the model");
  model.context_tokens = static_cast<std::int64_t>(context);
  member.models.push_back(std::move(model));
  return fields.Done();
}

std::string_view BreakerName(policy::BreakerState state) {
  constexpr std::array<std::string_view, 3> kNames{"closed", "open", "half open"};
  return kNames[std::to_underlying(state)];
}

std::string_view CertificateName(policy::CertificateState state) {
  constexpr std::array<std::string_view, 3> kNames{"none", "expired", "in force"};
  return kNames[std::to_underlying(state)];
}

Json CountsJson(const MemberCounts& counts) {
  Json failed = Json::object();
  for (std::size_t i = 0; i < std::size(counts.failed); ++i) {
    if (counts.failed[i] == 0) continue;
    failed[std::string(Name(static_cast<FailureCause>(i)))] = counts.failed[i];
  }
  return {{"begun", counts.begun},
          {"finished", counts.finished},
          {"cancelled", counts.cancelled},
          {"failed", std::move(failed)},
          {"prompt_tokens", counts.prompt_tokens},
          {"completion_tokens", counts.completion_tokens}};
}

Json LoadJson(const policy::Load& load) {
  return {{"in_flight", load.in_flight},
          {"running", load.running},
          {"waiting", load.waiting},
          {"prefill_tokens", load.prefill_tokens},
          {"kv_share", load.kv_share},
          {"prefill_tokens_per_s", load.prefill_tokens_s},
          {"decode_tokens_per_s", load.decode_tokens_s},
          {"first_token_ms", load.ttft_ms},
          {"token_ms", load.itl_ms}};
}

Json PlaceJson(const policy::Place& place) {
  return {{"chip", place.chip},
          {"maker", place.maker},
          {"region", place.region},
          {"jurisdiction", place.jurisdiction},
          {"owner", OwnerName(place.owner)},
          {"cost_per_hour", place.cost_per_hour},
          {"power_watts", place.power_watts}};
}

Json StateJson(const Member& member) {
  const double now_s = MemberRecord::Now();
  policy::RouteCandidate candidate{.member = member.name(), .load = member.state->load};
  member.record->Describe(candidate, now_s);
  Json json{{"name", member.name()},
            {"url", member.config->url},
            {"kind", KindName(member.config->kind)},
            {"state", ReachName(member, now_s)},
            {"trouble", member.state->trouble},
            {"export_rule", member.export_rule},
            {"leased", member.config->is_leased},
            {"breaker", BreakerName(member.record->breaker(now_s))},
            {"hand_over_level", std::to_underlying(LevelOf(member.state->abilities))},
            {"program", member.state->program},
            {"place", PlaceJson(member.config->place)},
            {"load", LoadJson(candidate.load)},
            {"counts", CountsJson(member.record->counts())},
            {"models", Json::array()}};
  for (const ModelState& model : member.state->models) {
    const auto certificate =
        member.config->is_vouched_for ? policy::CertificateState::kInForce : model.certificate;
    json["models"].push_back({{"name", model.name},
                              {"upstream", model.upstream},
                              {"context_tokens", model.context_tokens},
                              {"certificate", CertificateName(certificate)}});
  }
  return json;
}

}  // namespace

std::string_view ReachName(const Member& member, double now_s) {
  const MemberState& state = *member.state;
  if (member.is_forbidden || !member.export_rule.empty()) return "forbidden";
  if (state.is_lost) return "lost";
  if (member.is_draining || state.is_draining) return "draining";
  if (member.record->breaker(now_s) == policy::BreakerState::kOpen) return "broken";
  return state.is_heard_of ? "ready" : "unknown";
}

base::Result<MemberConfig> ReadMember(std::string_view text, std::string_view subject) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(text, subject));
  MemberConfig member;
  JsonFields fields(json, subject);
  fields.Text("name", member.name);
  fields.Text("url", member.url);
  member.kind =
      fields.Choice("kind", "switchyard", "openai") ? MemberKind::kOpenAi : MemberKind::kSwitchyard;
  fields.Text("api_key", member.api_key);
  fields.Text("member_key", member.member_key);
  policy::Place& place = member.place;
  fields.Text("chip", place.chip);
  fields.Text("maker", place.maker);
  fields.Text("region", place.region);
  fields.Text("jurisdiction", place.jurisdiction);
  place.owner =
      fields.Choice("owner", "own", "rented") ? policy::Owner::kRented : policy::Owner::kOwn;
  fields.Number("cost_per_hour", place.cost_per_hour);
  fields.Number("power_watts", place.power_watts);
  double capacity = 0;
  fields.Number("capacity", capacity);
  member.capacity = static_cast<std::int64_t>(capacity);
  if (const Json* models = fields.Find("models")) {
    if (!models->is_array()) fields.Refuse("models", "must be a list");
    for (const Json& model : *models) {
      SWITCHYARD_RETURN_IF_ERROR(ReadModel(model, subject, member));
    }
  }
  SWITCHYARD_RETURN_IF_ERROR(fields.Done());
  SWITCHYARD_RETURN_IF_ERROR(CheckMember(member));
  return member;
}

base::Json MemberJson(const MemberConfig& member) {
  Json json = PlaceJson(member.place);
  json["name"] = member.name;
  json["url"] = member.url;
  json["kind"] = KindName(member.kind);
  json["api_key"] = member.api_key;
  json["member_key"] = member.member_key;
  json["capacity"] = member.capacity;
  json["models"] = Json::array();
  for (const ServedModel& model : member.models) {
    json["models"].push_back({{"name", model.name},
                              {"upstream", model.upstream},
                              {"context_tokens", model.context_tokens}});
  }
  return json;
}

base::Json FleetJson(const Fleet& fleet) {
  const auto view = fleet.snapshot();
  const Fleet::Orders orders = fleet.orders();
  Json json{{"version", 1},
            {"models", view->Models()},
            {"orders", {{"draining", orders.draining}, {"forbidden", orders.forbidden}}},
            {"members", Json::array()}};
  for (const Member& member : view->members) json["members"].push_back(StateJson(member));
  return json;
}

}  // namespace switchyard::gateway
