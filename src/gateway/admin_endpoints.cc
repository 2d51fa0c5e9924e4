#include "gateway/admin_endpoints.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "base/json.h"
#include "gateway/member_json.h"
#include "gateway/member_record.h"
#include "protocol/api_error.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

constexpr std::string_view kFleet = "/switchyard/v1/fleet";
constexpr std::string_view kMembers = "/switchyard/v1/members";
constexpr std::int64_t kLongestDrill = 3600;  // s
constexpr double kFeltSpan = 60;              // s, of what `fleet top` shows

net::HttpResponse ErrorResponse(const protocol::ApiError& error) {
  return {.status = error.status, .body = protocol::ErrorBody(error)};
}

// The number behind `key=` in the target's query.
std::int64_t QueryNumber(std::string_view target, std::string_view key, std::int64_t usual) {
  const std::size_t query = target.find('?');
  if (query == std::string_view::npos) return usual;
  std::string_view rest = target.substr(query + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (!pair.starts_with(key) || pair.size() <= key.size() || pair[key.size()] != '=') continue;
    std::int64_t number = usual;
    std::from_chars(pair.data() + key.size() + 1, pair.data() + pair.size(), number);
    return number;
  }
  return usual;
}

Json EntryJson(const AuditEntry& entry) {
  return {{"id", entry.id},         {"time", entry.time},       {"actor", entry.actor},
          {"action", entry.action}, {"subject", entry.subject}, {"detail", entry.detail},
          {"hash", entry.hash}};
}

Json DecisionsJson(const RequestDecisions& decisions) {
  Json json{{"request", decisions.request},
            {"model", decisions.model},
            {"key", decisions.tenant},
            {"steps", Json::array()}};
  for (const DecisionStep& step : decisions.steps) {
    json["steps"].push_back({{"time", step.time},
                             {"occasion", step.occasion},
                             {"member", step.member.empty() ? Json(nullptr) : Json(step.member)},
                             {"why", step.why}});
  }
  return json;
}

// "maker=x": may be ordered though no member is so yet. A plain name must be there.
bool IsByPlace(std::string_view what) {
  for (const std::string_view key : {"maker=", "chip=", "region=", "jurisdiction=", "owner="}) {
    if (what.starts_with(key) && what.size() > key.size()) return true;
  }
  return false;
}

}  // namespace

// One request, with who asks.
struct AdminEndpoints::Call {
  const net::HttpRequest& request;
  std::shared_ptr<net::HttpResponder> responder;  // with the server
  std::string actor = {};

  void Tell(const Json& json, int status = 200) const {
    responder->Respond({.status = status, .body = base::WriteJson(json)});
  }
  void Refuse(const protocol::ApiError& error) const { responder->Respond(ErrorResponse(error)); }
  void Refuse(const base::Error& error) const { Refuse(protocol::ToApiError(error)); }
  void Unknown() const { Refuse(protocol::UnknownUrl(request.method, request.Path())); }
  // The body's object.
  base::Result<Json> Body() const {
    SWITCHYARD_TRY(Json json, base::ParseJson(request.body, "the request's body"));
    if (!json.is_object()) {
      return Fail(ErrorCode::kInvalidArgument, "the request's body must be an object");
    }
    return json;
  }
};

AdminEndpoints::AdminEndpoints(AdminParts parts, std::optional<access::ApiKeys> admin_keys,
                               std::optional<access::ApiKeys> member_keys)
    : parts_(std::move(parts)), admins_(std::move(admin_keys)), members_(std::move(member_keys)) {}

void AdminEndpoints::Answer(const net::HttpRequest& request,
                            std::shared_ptr<net::HttpResponder> responder) {
  static const access::KeyRing kNoClients{std::nullopt};
  const std::string_view path = request.Path();
  Call call{request, std::move(responder)};
  const bool is_fleet = path == kFleet || path.starts_with("/switchyard/v1/fleet/");
  const bool is_members = path == kMembers || path.starts_with("/switchyard/v1/members/");
  if (!is_fleet && !is_members) return call.Unknown();
  const auto who = (is_fleet ? admins_ : members_).Ask(request, kNoClients);
  if (!who) return call.Refuse(who.error());
  // The holder's name stands behind "member/".
  const std::string_view name = std::string_view(*who).substr(who->find('/') + 1);
  call.actor = fmt::format("{}/{}", is_fleet ? "operator" : "member", name);
  return is_fleet ? Operate(call) : Membership(call);
}

void AdminEndpoints::Operate(Call& call) {
  std::string_view rest = call.request.Path().substr(kFleet.size());
  if (!rest.empty()) rest.remove_prefix(1);
  const bool is_get = call.request.method == "GET";
  const bool is_post = call.request.method == "POST";
  if (is_get && rest.empty()) return Show(call);
  if (is_get && rest == "audit") return ShowAudit(call);
  if (is_get && rest == "drill") return call.Tell(parts_.drill.Report());
  if (is_get && rest.starts_with("explain/")) return Explain(call, rest.substr(8));
  if (is_post && rest == "drill") return BeginDrill(call);
  if (is_post && rest == "reload") return Reload(call);
  for (const std::string_view verb : {"drain", "undrain", "forbid", "allow"}) {
    if (is_post && rest == verb) return Order(call, verb);
  }
  call.Unknown();
}

void AdminEndpoints::Show(Call& call) {
  Json json = FleetJson(parts_.fleet);
  const double now_s = MemberRecord::Now();
  json["felt"] = ToJson(parts_.felt.Report(now_s - kFeltSpan, now_s));
  json["felt"]["seconds"] = kFeltSpan;
  call.Tell(json);
}

void AdminEndpoints::Order(Call& call, std::string_view verb) {
  const auto body = call.Body();
  if (!body) return call.Refuse(body.error());
  const std::string what =
      body->value("what", Json()).is_string() ? body->at("what").get<std::string>() : std::string();
  const bool cuts = body->value("cut", Json()) == Json(true);
  const auto members = parts_.fleet.Meant(what);
  const bool lifts = verb == "undrain" || verb == "allow";
  if (what.empty() || (members.empty() && !IsByPlace(what) && !lifts)) {
    return call.Refuse(protocol::InvalidField(
        "what", "not_found",
        fmt::format("There is no member '{}': 'what' must be the name of one that 'switchyard "
                    "fleet status' shows, or maker=, chip=, region=, jurisdiction= or owner= and "
                    "a value.",
                    what)));
  }
  const bool drains = verb == "drain" || verb == "undrain";
  // With the answer; only the log's thread touches it once the fleet obeys.
  const auto written = std::make_shared<base::Status>();
  // Others learn of orders in the sequence in which they are obeyed here.
  const std::lock_guard lock(order_mutex_);
  const FleetOrder order =
      parts_.fleet.Obey({.kind = drains ? OrderKind::kDrain : OrderKind::kForbid,
                         .what = what,
                         .holds = !lifts,
                         .actor = call.actor},
                        [written](const base::Status& status) { *written = status; });
  const std::size_t cut = cuts && !lifts ? parts_.fleet.Cut(what) : 0;
  const Fleet::Orders orders = parts_.fleet.orders();
  Json answer{{"members", members},
              {"answers_cut", cut},
              {"orders", {{"draining", orders.draining}, {"forbidden", orders.forbidden}}}};
  parts_.registry.Share(order, [=, this](const base::Status& shared) mutable {
    answer["only_here"] = shared ? Json(nullptr) : Json(shared.error().message);
    // Behind what was just appended, so that the answer can say whether it is written down.
    parts_.audit.Read(1, 0, [=](const auto&) mutable {
      answer["not_written"] = *written ? Json(nullptr) : Json(written->error().message);
      call.Tell(answer);
    });
  });
}

void AdminEndpoints::BeginDrill(Call& call) {
  const auto body = call.Body();
  if (!body) return call.Refuse(body.error());
  const Json what = body->value("what", Json());
  const Json seconds = body->value("seconds", Json(60));
  const bool is_time = seconds.is_number_integer() && seconds.get<std::int64_t>() >= 1 &&
                       seconds.get<std::int64_t>() <= kLongestDrill;
  if (!what.is_string() || !is_time) {
    return call.Refuse(protocol::InvalidField(
        is_time ? "what" : "seconds", "invalid_value",
        fmt::format("A drill needs 'what', and 'seconds' from 1 to {}.", kLongestDrill)));
  }
  const auto status = parts_.drill.Begin(
      what.get<std::string>(), std::chrono::seconds(seconds.get<std::int64_t>()), call.actor);
  if (!status) return call.Refuse(status.error());
  call.Tell(parts_.drill.Report(), 202);
}

void AdminEndpoints::Reload(Call& call) {
  if (const auto status = parts_.reload(call.actor); !status) return call.Refuse(status.error());
  call.Tell({{"members", parts_.fleet.snapshot()->members.size()}});
}

void AdminEndpoints::ShowAudit(Call& call) {
  const std::int64_t limit =
      std::clamp<std::int64_t>(QueryNumber(call.request.target, "limit", 100), 1, 10'000);
  const std::int64_t before =
      std::max<std::int64_t>(QueryNumber(call.request.target, "before", 0), 0);
  parts_.audit.Read(limit, before, [call](auto entries) {
    if (!entries) return call.Refuse(entries.error());
    Json list = Json::array();
    for (const AuditEntry& entry : *entries) list.push_back(EntryJson(entry));
    call.Tell({{"entries", std::move(list)}});
  });
}

void AdminEndpoints::Explain(Call& call, std::string_view id) {
  const auto decisions = parts_.decisions.Find(id);
  if (!decisions) {
    return call.Refuse(base::Error{
        ErrorCode::kNotFound,
        fmt::format("There is no request '{}' among the last ones; its id is what the answer's "
                    "header x-request-id says.",
                    id)});
  }
  call.Tell(DecisionsJson(*decisions));
}

void AdminEndpoints::Membership(Call& call) {
  std::string_view name = call.request.Path().substr(kMembers.size());
  if (!name.empty()) name.remove_prefix(1);
  const auto answered = [call, this](const base::Status& status) {
    if (!status) return call.Refuse(status.error());
    const auto lease = parts_.fleet.snapshot()->config->registry.lease;
    call.Tell({{"lease_seconds", static_cast<double>(lease.count()) / 1000}});
  };
  if (call.request.method == "POST" && name.empty()) {
    auto member = ReadMember(call.request.body, "the registration");
    if (!member) return call.Refuse(member.error());
    return parts_.registry.Register(std::move(*member), call.actor, answered);
  }
  if (call.request.method == "DELETE" && !name.empty()) {
    return parts_.registry.Remove(std::string(name), call.actor, answered);
  }
  call.Unknown();
}

}  // namespace switchyard::gateway
