#include "gateway/decision_log.h"

#include <utility>

#include "gateway/internal/clock_text.h"

namespace switchyard::gateway {
namespace {

constexpr std::size_t kMostSteps = 64;  // of one request

}  // namespace

std::uint64_t DecisionLog::Begin(std::string_view id, std::string_view occasion,
                                 const policy::RouteRequest& request, const Routed& routed) {
  Step step{std::chrono::system_clock::now(), std::string(occasion), Fleet::Findings(routed)};
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = begun_++;
  if (ring_.size() < most_) ring_.emplace_back();
  // In place of the oldest, with what it has allocated.
  Request& made = ring_[number % most_];
  made.id = id;
  made.model = request.model;
  made.tenant = request.tenant;
  made.steps.clear();
  made.steps.push_back(std::move(step));
  return number;
}

void DecisionLog::Add(std::uint64_t number, std::string_view occasion, const Routed& routed) {
  AddStep(number, {std::chrono::system_clock::now(), std::string(occasion), Fleet::Findings(routed)});
}

void DecisionLog::Note(std::uint64_t number, std::string_view occasion, std::string_view member,
                       std::vector<std::string> why) {
  AddStep(number, {std::chrono::system_clock::now(), std::string(occasion), {}, std::string(member),
                   std::move(why)});
}

void DecisionLog::AddStep(std::uint64_t number, Step step) {
  const std::lock_guard lock(mutex_);
  if (begun_ - number > most_) return;  // forgotten
  std::vector<Step>& steps = ring_[number % most_].steps;
  if (steps.size() < kMostSteps) steps.push_back(std::move(step));
}

std::optional<RequestDecisions> DecisionLog::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  // The latest, where clients give several one id.
  const Request* found = nullptr;
  for (std::uint64_t age = 1; age <= ring_.size() && found == nullptr; ++age) {
    const Request& one = ring_[(begun_ - age) % most_];
    if (one.id == id) found = &one;
  }
  if (found == nullptr) return std::nullopt;
  const Request& request = *found;
  RequestDecisions decisions{.request = request.id, .model = request.model,
                             .tenant = request.tenant};
  for (const Step& step : request.steps) {
    const bool is_chosen =
        !step.findings.empty() && step.findings.front().code == policy::RouteCode::kFits;
    decisions.steps.push_back({.time = internal::UtcText(step.time),
                               .occasion = step.occasion,
                               .member = is_chosen ? step.findings.front().member->name : step.member,
                               .why = step.findings.empty() && !step.why.empty()
                                          ? step.why
                                          : Fleet::Explain(request.model, step.findings)});
  }
  return decisions;
}

}  // namespace switchyard::gateway
