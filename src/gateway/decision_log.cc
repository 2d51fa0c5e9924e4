#include "gateway/decision_log.h"

#include <utility>

#include "gateway/internal/clock_text.h"

namespace switchyard::gateway {
namespace {

constexpr std::size_t kMostSteps = 64;  // of one request

}  // namespace

void DecisionLog::Add(std::string_view id, std::string_view occasion,
                      const policy::RouteRequest& request, const Routed& routed) {
  DecisionStep step{.time = internal::UtcNow(), .occasion = std::string(occasion)};
  if (routed.size() > 0) step.member = routed.member(0).name();
  step.why = Fleet::Explain(request, routed);
  const std::lock_guard lock(mutex_);
  if (const auto known = by_id_.find(id); known != by_id_.end()) {
    if (known->second->steps.size() < kMostSteps) known->second->steps.push_back(std::move(step));
    return;
  }
  auto made = std::make_shared<RequestDecisions>();
  made->request = id;
  made->model = request.model;
  made->tenant = request.tenant;
  made->steps.push_back(std::move(step));
  by_id_.emplace(made->request, made);
  by_age_.push_back(std::move(made));
  if (by_age_.size() <= most_) return;
  by_id_.erase(by_age_.front()->request);
  by_age_.pop_front();
}

std::optional<RequestDecisions> DecisionLog::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(*found->second);
}

}  // namespace switchyard::gateway
