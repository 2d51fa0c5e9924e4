#include "access/key_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/metric_text.h"

namespace switchyard::access {
namespace {

using policy::RateRefusal;

// Nobody can know when one of the running requests ends.
constexpr double kConcurrentRetry = 1;  // s

// As OpenAI writes them: "120ms", "1.5s", "6m0s".
std::string DurationText(double seconds) {
  const auto ms = static_cast<std::int64_t>(std::ceil(seconds * 1000));
  if (ms < 1000) return fmt::format("{}ms", ms);
  const double rest = static_cast<double>(ms % 60'000) / 1000;
  if (ms < 60'000) return fmt::format("{:g}s", rest);
  return fmt::format("{}m{:g}s", ms / 60'000, rest);
}

double RetryAfter(const policy::RateDecision& decision) {
  return decision.refusal == RateRefusal::kConcurrent ? kConcurrentRetry : decision.retry_after_s;
}

void AddBudget(std::string_view what, const policy::RateBudget& budget, net::HttpHeaders& headers) {
  if (budget.limit == 0) return;
  headers.emplace_back(fmt::format("x-ratelimit-limit-{}", what), std::to_string(budget.limit));
  headers.emplace_back(fmt::format("x-ratelimit-remaining-{}", what),
                       std::to_string(budget.remaining));
  headers.emplace_back(fmt::format("x-ratelimit-reset-{}", what), DurationText(budget.reset_s));
}

}  // namespace

double KeyHolder::Now() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

KeyHolder::KeyHolder(const KeyTerms& terms)
    : name_(terms.name), priority_(terms.priority), limiter_(terms.limits, Now()) {}

void KeyHolder::SetTerms(const KeyTerms& terms) {
  priority_ = terms.priority;
  const std::lock_guard lock(mutex_);
  limiter_.SetLimits(terms.limits, Now());
}

policy::RateDecision KeyHolder::Ask(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  const policy::RateDecision decision = limiter_.Ask(tokens, Now());
  ++(decision.refusal == RateRefusal::kNone ? requests_
                                            : refused_[std::to_underlying(decision.refusal)]);
  return decision;
}

void KeyHolder::Leave(std::int64_t reserved_tokens, std::int64_t prompt_tokens,
                      std::int64_t completion_tokens) {
  prompt_tokens_ += static_cast<std::uint64_t>(prompt_tokens);
  completion_tokens_ += static_cast<std::uint64_t>(completion_tokens);
  const std::lock_guard lock(mutex_);
  limiter_.Leave(reserved_tokens, prompt_tokens + completion_tokens, Now());
}

KeyRing::KeyRing(std::optional<ApiKeys> keys) : is_open_(!keys.has_value()) {
  if (keys) Replace(std::move(*keys));
}

void KeyRing::Replace(ApiKeys keys) {
  auto made = std::make_shared<Table>();
  made->keys = std::move(keys);
  const auto before = table();
  for (const KeyTerms& terms : made->keys.terms()) {
    std::shared_ptr<KeyHolder> holder;
    for (const auto& known : before == nullptr ? decltype(made->holders)() : before->holders) {
      if (known->name() == terms.name) holder = known;
    }
    if (holder == nullptr) {
      holder = std::make_shared<KeyHolder>(terms);
    } else {
      holder->SetTerms(terms);
    }
    made->holders.push_back(std::move(holder));
  }
  const std::lock_guard lock(mutex_);
  table_ = std::move(made);
}

std::shared_ptr<const KeyRing::Table> KeyRing::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<KeyHolder> KeyRing::Find(std::string_view authorization) const {
  const auto table = this->table();
  if (table == nullptr) return nullptr;
  const auto found = table->keys.Find(authorization);
  return found ? table->holders[*found] : nullptr;
}

std::string KeyRing::Render() const {
  const auto table = this->table();
  if (table == nullptr) return {};
  std::string requests = base::MetricHead("switchyard_key_requests_total", "counter",
                                          "Completions that were admitted, by the key's name.");
  std::string tokens =
      base::MetricHead("switchyard_key_tokens_total", "counter", "Tokens of them.");
  std::string refused = base::MetricHead("switchyard_key_refused_total", "counter",
                                         "Completions beyond one of the key's limits.");
  constexpr std::pair<RateRefusal, std::string_view> kLimits[] = {
      {RateRefusal::kRequests, "requests"},
      {RateRefusal::kTokens, "tokens"},
      {RateRefusal::kConcurrent, "concurrent"}};
  for (const auto& holder : table->holders) {
    const std::string& name = holder->name();
    requests += fmt::format("switchyard_key_requests_total{{key=\"{}\"}} {}\n", name,
                            holder->requests_.load());
    tokens += fmt::format("switchyard_key_tokens_total{{key=\"{}\",kind=\"prompt\"}} {}\n", name,
                          holder->prompt_tokens_.load());
    tokens += fmt::format("switchyard_key_tokens_total{{key=\"{}\",kind=\"completion\"}} {}\n",
                          name, holder->completion_tokens_.load());
    for (const auto& [refusal, limit] : kLimits) {
      refused += fmt::format("switchyard_key_refused_total{{key=\"{}\",limit=\"{}\"}} {}\n", name,
                             limit, holder->refused_[std::to_underlying(refusal)].load());
    }
  }
  return requests + tokens + refused;
}

net::HttpHeaders RateHeaders(const policy::RateDecision& decision) {
  net::HttpHeaders headers;
  AddBudget("requests", decision.requests, headers);
  AddBudget("tokens", decision.tokens, headers);
  return headers;
}

protocol::ApiError RateLimited(const KeyHolder& holder, const policy::RateDecision& decision) {
  const bool is_tokens = decision.refusal == RateRefusal::kTokens;
  std::string what;
  if (decision.refusal == RateRefusal::kConcurrent) {
    what = "requests at the same time";
  } else {
    what = is_tokens ? fmt::format("tokens per min (TPM): Limit {}", decision.tokens.limit)
                     : fmt::format("requests per min (RPM): Limit {}", decision.requests.limit);
  }
  return {429,
          fmt::format("Rate limit reached for {} on {}. Please try again in {}.", holder.name(),
                      what, DurationText(RetryAfter(decision))),
          is_tokens ? "tokens" : "requests",
          {},
          "rate_limit_exceeded"};
}

net::HttpHeaders RetryHeaders(const policy::RateDecision& decision) {
  const double seconds = RetryAfter(decision);
  const auto up = [](double value) { return std::to_string(std::llround(std::ceil(value))); };
  return {{"Retry-After", up(seconds)}, {"retry-after-ms", up(seconds * 1000)}};
}

}  // namespace switchyard::access
