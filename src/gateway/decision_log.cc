#include "gateway/decision_log.h"

#include <utility>

#include "gateway/internal/clock_text.h"

namespace switchyard::gateway {
namespace {

constexpr std::size_t kMostSteps = 64;  // of one request

}  // namespace

void DecisionLog::Add(std::string_view id, std::string_view occasion,
                      const policy::RouteRequest& request, const Routed& routed) {
  Step step{std::chrono::system_clock::now(), std::string(occasion), Fleet::Findings(routed)};
  const std::lock_guard lock(mutex_);
  if (const auto known = by_id_.find(id); known != by_id_.end()) {
    if (known->second->steps.size() < kMostSteps) known->second->steps.push_back(std::move(step));
    return;
  }
  auto made = std::make_shared<Request>();
  made->id = id;
  made->model = request.model;
  made->tenant = request.tenant;
  made->steps.push_back(std::move(step));
  by_id_.emplace(made->id, made);
  by_age_.push_back(std::move(made));
  if (by_age_.size() <= most_) return;
  by_id_.erase(by_age_.front()->id);
  by_age_.pop_front();
}

void DecisionLog::Note(std::string_view id, std::string_view occasion, std::string_view member,
                       std::vector<std::string> why) {
  const std::lock_guard lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end() || known->second->steps.size() >= kMostSteps) return;
  known->second->steps.push_back({std::chrono::system_clock::now(), std::string(occasion), {},
                                  std::string(member), std::move(why)});
}

std::optional<RequestDecisions> DecisionLog::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  const Request& request = *found->second;
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
