#include "server/member_drain.h"

#include "base/json.h"
#include "protocol/field_reader.h"
#include "server/server_state.h"

namespace switchyard::server {
namespace {

constexpr double kLongest = 7 * 24 * 3600;  // s

// When what runs is given back; none: never.
protocol::ApiResult<std::optional<Drain::Clock::time_point>> ReadDrain(std::string_view body) {
  const auto object = protocol::ParseBody(body);
  if (!object) return std::unexpected(object.error());
  protocol::FieldReader fields(*object);
  const auto mode = fields.String("mode", 32);
  const auto seconds = fields.Decimal("seconds", 0, kLongest);
  if (!mode) fields.FailMissing("mode");
  if (mode && *mode != "finish" && *mode != "hand_back") {
    fields.Fail(protocol::InvalidField(
        "mode", "invalid_value",
        fmt::format("Invalid 'mode': it must be 'finish' or 'hand_back', not '{}'.", *mode)));
  }
  if (fields.error()) return std::unexpected(*fields.error());
  if (!seconds && *mode == "finish") return std::nullopt;
  return Drain::Clock::now() + std::chrono::duration_cast<Drain::Clock::duration>(
                                   std::chrono::duration<double>(seconds.value_or(0)));
}

void AnswerHowItIs(bool is_changed, const ServerState& state, const MemberReply& reply) {
  if (is_changed) return reply(net::HttpResponse{.body = base::WriteJson(DrainJson(state))});
  reply(std::unexpected(protocol::ApiError{
      409, "The server stops; only a new start brings it back.", "invalid_request_error", "",
      "stopping"}));
}

}  // namespace

base::Json DrainJson(const ServerState& state) {
  const Drain::Phase phase = state.drain.phase();
  base::Json left = nullptr;
  if (phase.give_back) {
    const std::chrono::duration<double> time = *phase.give_back - Drain::Clock::now();
    left = std::max(0.0, time.count());
  }
  return {{"draining", phase.is_on},
          {"stopping", phase.is_final},
          {"in_flight", state.in_flight.load()},
          {"gives_back_in_s", left}};
}

void AnswerDrain(net::HttpRequest& request, ServerState& state, const MemberReply& reply) {
  const auto give_back = ReadDrain(request.body);
  if (!give_back) return reply(std::unexpected(give_back.error()));
  const bool is_changed = state.drain.Begin(*give_back);
  if (is_changed) state.live.TellOfDrain();
  AnswerHowItIs(is_changed, state, reply);
}

void AnswerUndrain(net::HttpRequest& /*request*/, ServerState& state,
                   const MemberReply& reply) {
  AnswerHowItIs(state.drain.End(), state, reply);
}

}  // namespace switchyard::server
