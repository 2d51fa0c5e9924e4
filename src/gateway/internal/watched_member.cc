#include "gateway/internal/watched_member.h"

#include <utility>

#include "gateway/internal/clock_text.h"
#include "gateway/member_report.h"

namespace switchyard::gateway::internal {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::string_view kState = "/switchyard/v1/state";
constexpr std::string_view kModels = "/v1/models";
constexpr std::string_view kMetrics = "/metrics";
// A list of models seldom changes, and rented members may count what they are asked.
constexpr std::int64_t kModelsEvery = 10;

}  // namespace

WatchedMember::WatchedMember(std::shared_ptr<const MemberConfig> config, Fleet& fleet,
                             MemberCalls& calls)
    : config_(std::move(config)), fleet_(fleet), calls_(calls), probe_(*config_, calls) {
  if (IsOurs()) state_.abilities = kOurAbilities;
}

std::string WatchedMember::NextPath() const {
  if (TellsItsState()) return std::string(kState);
  const bool wants_models = questions_ % kModelsEvery == 0 || state_.is_lost ||
                            !state_.is_heard_of || has_metrics_ == Known::kNo;
  return std::string(wants_models ? kModels : kMetrics);
}

void WatchedMember::Ask(const WatchConfig& watch) {
  if (is_asking_) return;
  watch_ = watch;
  // Without metrics there is only the list to ask for.
  const bool is_rest = has_metrics_ == Known::kNo && !state_.is_lost &&
                       config_->place.owner == policy::Owner::kRented &&
                       questions_ % kModelsEvery != 0;
  if (is_rest) {
    ++questions_;
    return;
  }
  is_asking_ = true;
  const std::string path = NextPath();
  ++questions_;
  fetch_ = calls_.Send(*config_, path, {}, watch.timeout,
                       [this, path](auto answer) { Heard(path, std::move(answer)); });
}

void WatchedMember::Heard(const std::string& path, base::Result<net::FetchedAnswer> answer) {
  is_asking_ = false;
  if (!answer) return Missed(std::move(answer.error().message));
  // A member that drains refuses work with 503, and still answers this.
  if (answer->status >= 500 && path != kMetrics) {
    return Missed(fmt::format("it answered {} with status {}", path, answer->status));
  }
  if (const auto status = Understand(path, *answer); !status) {
    return Missed(status.error().message);
  }
  misses_ = 0;
  state_.is_heard_of = true;
  state_.is_lost = false;
  state_.trouble.clear();
  if (probe_.IsOver()) state_.abilities = probe_.found();
  fleet_.Update(config_->name, state_);
  if (watch_.probe && !IsOurs()) probe_.Begin(state_.models);
}

base::Status WatchedMember::Understand(const std::string& path, const net::FetchedAnswer& answer) {
  if (path == kMetrics) {
    const auto load = answer.status == 200 ? ReadMetrics(answer.body) : std::nullopt;
    has_metrics_ = load ? Known::kYes : Known::kNo;
    if (load) state_.load = *load;
    return {};
  }
  if (answer.status != 200) {
    return Fail(ErrorCode::kFailedPrecondition, "it answered {} with status {}; check its key",
                path, answer.status);
  }
  if (path == kState) {
    SWITCHYARD_TRY(state_, ReadState(answer.body, UtcNow()));
    return {};
  }
  SWITCHYARD_TRY(state_.models, ReadModels(answer.body, UtcNow()));
  return {};
}

void WatchedMember::Missed(std::string why) {
  state_.trouble = std::move(why);
  if (++misses_ < watch_.misses && !(misses_ == 1 && !state_.is_heard_of)) return;
  state_.is_lost = true;
  fleet_.Update(config_->name, state_);
}

}  // namespace switchyard::gateway::internal
