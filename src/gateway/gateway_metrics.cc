#include "gateway/gateway_metrics.h"

#include <algorithm>
#include <utility>

#include "base/metric_text.h"

namespace switchyard::gateway {
namespace {

constexpr std::array kSecondsBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                       0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};

std::string One(std::string_view name, std::string_view type, std::string_view help,
                std::int64_t value) {
  return fmt::format("{}{} {}\n", base::MetricHead(name, type, help), name, value);
}

std::string_view Name(HedgeEnd end) {
  switch (end) {
    case HedgeEnd::kWon:
      return "won";
    case HedgeEnd::kLost:
      return "lost";
    case HedgeEnd::kFailed:
      return "failed";
    case HedgeEnd::kDropped:
      return "dropped";
    case HedgeEnd::kNobody:
      return "nobody";
    case HedgeEnd::kNoBudget:
      return "no_budget";
  }
  return "unknown";
}

}  // namespace

GatewayMetrics::GatewayMetrics()
    : time_to_first_token_s(kSecondsBounds),
      request_s(kSecondsBounds),
      hand_over_s(kSecondsBounds) {}

void GatewayMetrics::CountEnd(int status) {
  ends_[static_cast<std::size_t>(std::clamp(status, 0, 599))].fetch_add(1,
                                                                        std::memory_order_relaxed);
}

void GatewayMetrics::CountHandOver(HandOverLevel level, FailureCause cause) {
  hand_overs_.at(std::to_underlying(level))
      .at(std::to_underlying(cause))
      .fetch_add(1, std::memory_order_relaxed);
}

std::string GatewayMetrics::Render() const {
  std::string text = base::MetricHead("switchyard_gateway_requests_total", "counter",
                                      "Requests that ended, by status; 499: the client left.");
  for (std::size_t status = 0; status < ends_.size(); ++status) {
    const std::uint64_t count = ends_[status].load(std::memory_order_relaxed);
    if (count == 0) continue;
    text += fmt::format("switchyard_gateway_requests_total{{status=\"{}\"}} {}\n", status, count);
  }
  text += base::MetricHead(
      "switchyard_gateway_hand_overs_total", "counter",
      "Answers that went on with another member, by level and by what ended the last.");
  for (std::size_t level = 1; level < kLevels; ++level) {
    for (std::size_t cause = 0; cause < kFailureCauses; ++cause) {
      const std::uint64_t count = hand_overs_[level][cause].load(std::memory_order_relaxed);
      if (count == 0) continue;
      text += fmt::format("switchyard_gateway_hand_overs_total{{level=\"{}\",cause=\"{}\"}} {}\n",
                          level, Name(static_cast<FailureCause>(cause)), count);
    }
  }
  const auto load = [](const Counter& counter) {
    return static_cast<std::int64_t>(counter.load(std::memory_order_relaxed));
  };
  text += base::MetricHead(
      "switchyard_gateway_hedges_total", "counter",
      "Times that a second member was to be asked beside a slow one, by what became of it.");
  for (std::size_t end = 0; end < kHedgeEnds; ++end) {
    text += fmt::format("switchyard_gateway_hedges_total{{end=\"{}\"}} {}\n",
                        Name(static_cast<HedgeEnd>(end)), load(hedges_[end]));
  }
  text += One("switchyard_gateway_attempts_total", "counter", "Requests sent to members.",
              load(attempts_));
  text += One("switchyard_gateway_interrupted_total", "counter",
              "Answers that ended with an error in the stream.", load(interrupted_));
  text += One("switchyard_gateway_skipped_chunks_total", "counter",
              "Chunks of members that were no JSON and were left out.", load(skipped_chunks_));
  text += One("switchyard_gateway_in_flight", "gauge", "Requests in progress.", in_flight());
  text += time_to_first_token_s.Render("switchyard_gateway_time_to_first_token_seconds",
                                       "From a request's arrival to its first token.", "");
  text += request_s.Render("switchyard_gateway_request_seconds",
                           "From a request's arrival to its end.", "");
  text += hand_over_s.Render("switchyard_gateway_hand_over_seconds",
                             "From a member's failure to the answer's next token.", "");
  return text;
}

}  // namespace switchyard::gateway
