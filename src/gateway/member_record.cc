#include "gateway/member_record.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace switchyard::gateway {
namespace {

// How much of a mean each new sample is.
constexpr double kShare = 0.1;
constexpr double kUsualShare = 0.002;
// With fewer tokens to compute a first token takes about as long as with none.
constexpr std::int64_t kTellingPrompt = 128;
// Shorter answers say little of how fast tokens follow each other.
constexpr std::int64_t kFewTokens = 8;
// A member that asks for rest longer than that is asked again all the same.
constexpr double kLongestRest = 60;  // s
// How long what was served counts for shares.
constexpr double kShareSpan = 3600;            // s
constexpr double kDay = 86'400;                // s
constexpr std::int64_t kExpectedAnswer = 256;  // tokens, until it is known
// Nobody tells how many it runs well at once; all are taken to be alike there.
constexpr double kStreams = 8;
constexpr double kUsualRest = 1;  // s, where it does not say how long

void Mix(double sample, double share, double& mean) {
  mean = mean == 0 ? sample : mean + share * (sample - mean);
}

// Of these no breaker need know: the member works.
bool IsNoFault(FailureCause cause) {
  return cause == FailureCause::kOverloaded || cause == FailureCause::kHandBack ||
         cause == FailureCause::kTakenOut || cause == FailureCause::kNotServed;
}

}  // namespace

double MemberRecord::Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

AttemptTimes MemberRecord::Begin(std::int64_t prompt_tokens, std::int64_t cached_tokens,
                                 double now_s) {
  const std::int64_t unread = std::max<std::int64_t>(prompt_tokens - cached_tokens, 0);
  const std::lock_guard lock(mutex_);
  Count(now_s);
  served_tokens_ += static_cast<double>(prompt_tokens + kExpectedAnswer);
  ++counts_.begun;
  ++in_flight_;
  const std::int64_t ahead = std::exchange(unread_tokens_, unread_tokens_ + unread);
  return {.era = breaker_.Begin(now_s).era,
          .prompt_tokens = prompt_tokens,
          .unread_tokens = unread,
          .ahead_tokens = ahead,
          .began_s = now_s,
          .number = counts_.begun};
}

void MemberRecord::FirstToken(AttemptTimes& times, double now_s) {
  times.first_token_s = now_s;
  const double taken_s = std::max(now_s - times.began_s, 1e-6);
  const std::lock_guard lock(mutex_);
  unread_tokens_ -= times.unread_tokens;
  first_token_.Add(taken_s * 1000);
  const std::int64_t computed = times.ahead_tokens + times.unread_tokens;
  if (computed >= kTellingPrompt) prefill_tokens_s_.Add(static_cast<double>(computed) / taken_s);
}

void MemberRecord::Count(double now_s) {
  const double passed_s = std::max(now_s - counted_s_, 0.0);
  if (counted_s_ == 0) {
    counted_s_ = now_s;
    return;
  }
  served_tokens_ *= std::exp(-passed_s / kShareSpan);
  busy_s_ *= std::exp(-passed_s / kDay);
  if (in_flight_ > 0) busy_s_ += passed_s;
  counted_s_ = std::max(counted_s_, now_s);
}

void MemberRecord::End(const AttemptTimes& times, policy::AttemptEnd end, double now_s) {
  Count(now_s);
  // What was expected gives way to what came.
  served_tokens_ -= static_cast<double>(kExpectedAnswer);
  if (!times.first_token_s) served_tokens_ -= static_cast<double>(times.prompt_tokens);
  served_tokens_ = std::max(served_tokens_, 0.0);
  --in_flight_;
  on_cut_.erase(times.number);
  if (!times.first_token_s) unread_tokens_ -= times.unread_tokens;
  breaker_.End({times.era}, end, now_s);
}

void MemberRecord::Finished(const AttemptTimes& times, std::int64_t prompt_tokens,
                            std::int64_t completion_tokens, double now_s) {
  const std::lock_guard lock(mutex_);
  if (times.first_token_s && completion_tokens >= kFewTokens) {
    const double taken_s = std::max(now_s - *times.first_token_s, 1e-6);
    const double each_s = taken_s / static_cast<double>(completion_tokens - 1);
    token_.Add(each_s * 1000);
  }
  ++counts_.finished;
  counts_.prompt_tokens += static_cast<std::uint64_t>(std::max<std::int64_t>(prompt_tokens, 0));
  counts_.completion_tokens +=
      static_cast<std::uint64_t>(std::max<std::int64_t>(completion_tokens, 0));
  End(times, policy::AttemptEnd::kSucceeded, now_s);
  const std::int64_t counted = times.first_token_s ? times.prompt_tokens : 0;
  served_tokens_ = std::max(
      served_tokens_ + static_cast<double>(prompt_tokens + completion_tokens - counted), 0.0);
}

void MemberRecord::Failed(const AttemptTimes& times, FailureCause cause, double retry_after_s,
                          double now_s) {
  const std::lock_guard lock(mutex_);
  ++counts_.failed[std::to_underlying(cause)];
  if (cause == FailureCause::kOverloaded) {
    const double rest = retry_after_s > 0 ? std::min(retry_after_s, kLongestRest) : kUsualRest;
    busy_until_s_ = std::max(busy_until_s_, now_s + rest);
  }
  End(times, IsNoFault(cause) ? policy::AttemptEnd::kCancelled : policy::AttemptEnd::kFailed,
      now_s);
}

void MemberRecord::Cancelled(const AttemptTimes& times, double now_s) {
  const std::lock_guard lock(mutex_);
  ++counts_.cancelled;
  End(times, policy::AttemptEnd::kCancelled, now_s);
}

void MemberRecord::OnCut(const AttemptTimes& times, std::function<void()> on_cut) {
  const std::lock_guard lock(mutex_);
  on_cut_[times.number] = std::move(on_cut);
}

std::size_t MemberRecord::Cut() {
  std::map<std::uint64_t, std::function<void()>> cut;
  {
    const std::lock_guard lock(mutex_);
    cut.swap(on_cut_);
  }
  for (const auto& [number, on_cut] : cut) on_cut();
  return cut.size();
}

void MemberRecord::Describe(policy::RouteCandidate& candidate, double now_s) const {
  const std::lock_guard lock(mutex_);
  policy::Load& load = candidate.load;
  load.in_flight = in_flight_;
  load.prefill_tokens = std::max(load.prefill_tokens, unread_tokens_);
  load.prefill_tokens_s = std::max(load.prefill_tokens_s, prefill_tokens_s_.value());
  // Of so many streams at the pace of late: who is loaded is slower and gets less, whoever has
  // little to do keeps the pace that it had.
  if (token_.recent_ms > 0) load.decode_tokens_s = kStreams * 1000 / token_.recent_ms;
  const double passed_s = counted_s_ == 0 ? 0 : std::max(now_s - counted_s_, 0.0);
  load.served_tokens = served_tokens_ * std::exp(-passed_s / kShareSpan);
  load.busy_hours = (busy_s_ * std::exp(-passed_s / kDay) + (in_flight_ > 0 ? passed_s : 0)) / 3600;
  load.ttft_ms = first_token_.recent_ms;
  load.itl_ms = token_.recent_ms;
  if (candidate.reach != policy::Reach::kReachable && candidate.reach != policy::Reach::kUnknown) {
    return;
  }
  if (!breaker_.Admits(now_s)) {
    candidate.reach = policy::Reach::kBroken;
    candidate.wait_s = breaker_.WaitFor(now_s);
  } else if (busy_until_s_ > now_s) {
    candidate.reach = policy::Reach::kBusy;
    candidate.wait_s = busy_until_s_ - now_s;
  }
}

policy::BreakerState MemberRecord::breaker(double now_s) const {
  const std::lock_guard lock(mutex_);
  return breaker_.StateAt(now_s);
}

MemberCounts MemberRecord::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void MemberRecord::SetLimits(const policy::BreakerLimits& limits) {
  const std::lock_guard lock(mutex_);
  breaker_.SetLimits(limits);
}

void MemberRecord::Recovered() {
  const std::lock_guard lock(mutex_);
  breaker_.TryNow();
  busy_until_s_ = 0;
}

void MemberRecord::Times::Add(double ms) {
  Mix(ms, kShare, recent_ms);
  ++samples;
  // A plain mean at first, so that a slow start does not count for long.
  Mix(ms, std::max(kUsualShare, 1 / static_cast<double>(samples)), usual_ms);
}

policy::Pace MemberRecord::PaceOf(const Times& times, double now_s) const {
  const std::lock_guard lock(mutex_);
  return {.recent_ms = times.recent_ms,
          .usual_ms = times.usual_ms,
          .samples = times.samples,
          .is_away = breaker_.StateAt(now_s) != policy::BreakerState::kClosed};
}

policy::Pace MemberRecord::FirstTokenPace(double now_s) const {
  return PaceOf(first_token_, now_s);
}

policy::Pace MemberRecord::TokenPace(double now_s) const { return PaceOf(token_, now_s); }

void MemberRecord::Eject(double now_s) {
  const std::lock_guard lock(mutex_);
  breaker_.Open(now_s);
  for (Times* times : {&first_token_, &token_}) times->recent_ms = times->usual_ms;
}

}  // namespace switchyard::gateway
