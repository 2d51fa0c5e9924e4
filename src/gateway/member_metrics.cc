#include "gateway/member_metrics.h"

#include <fmt/format.h>

#include <utility>

#include "base/metric_text.h"
#include "gateway/member_json.h"
#include "gateway/member_record.h"

namespace switchyard::gateway {
namespace {

struct Seen {
  std::string labels;
  std::string_view state;
  policy::Load load;
  MemberCounts counts;
};

Seen Look(const Member& member) {
  const double now_s = MemberRecord::Now();
  const policy::Place& place = member.config->place;
  policy::RouteCandidate candidate{.load = member.state->load};
  member.record->Describe(candidate, now_s);
  return {.labels = fmt::format("member=\"{}\",chip=\"{}\",maker=\"{}\"",
                                base::LabelText(member.name()), base::LabelText(place.chip),
                                base::LabelText(place.maker)),
          .state = ReachName(member, now_s),
          .load = candidate.load,
          .counts = member.record->counts()};
}

}  // namespace

std::string RenderMembers(const FleetView& view) {
  std::vector<Seen> members;
  for (const Member& member : view.members) members.push_back(Look(member));
  std::string text = base::MetricHead(
      "switchyard_gateway_member", "gauge",
      "1 for the state that each member is in: ready, unknown, lost, draining, broken, forbidden.");
  for (const Seen& member : members) {
    text += fmt::format("switchyard_gateway_member{{{},state=\"{}\"}} 1\n", member.labels,
                        member.state);
  }
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          const auto& value) {
    text += base::MetricHead(name, type, help);
    for (const Seen& member : members) {
      text += fmt::format("{}{{{}}} {}\n", name, member.labels, value(member));
    }
  };
  family("switchyard_gateway_member_in_flight", "gauge", "Requests of this gateway's there.",
         [](const Seen& member) { return member.load.in_flight; });
  family("switchyard_gateway_member_first_token_seconds", "gauge",
         "The mean time to a first token there of late; 0: not known.",
         [](const Seen& member) { return member.load.ttft_ms / 1000; });
  family("switchyard_gateway_member_token_seconds", "gauge",
         "The mean time between two tokens there of late; 0: not known.",
         [](const Seen& member) { return member.load.itl_ms / 1000; });
  family("switchyard_gateway_member_attempts_total", "counter", "Requests sent there.",
         [](const Seen& member) { return member.counts.begun; });
  family("switchyard_gateway_member_prompt_tokens_total", "counter", "Prompt tokens read there.",
         [](const Seen& member) { return member.counts.prompt_tokens; });
  family("switchyard_gateway_member_completion_tokens_total", "counter", "Tokens made there.",
         [](const Seen& member) { return member.counts.completion_tokens; });
  text += base::MetricHead("switchyard_gateway_member_failures_total", "counter",
                           "Attempts there that failed, by cause.");
  for (const Seen& member : members) {
    for (std::size_t cause = 0; cause < kFailureCauses; ++cause) {
      if (member.counts.failed[cause] == 0) continue;
      text += fmt::format("switchyard_gateway_member_failures_total{{{},cause=\"{}\"}} {}\n",
                          member.labels, Name(static_cast<FailureCause>(cause)),
                          member.counts.failed[cause]);
    }
  }
  return text;
}

}  // namespace switchyard::gateway
