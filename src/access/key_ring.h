// Who may ask, and how much of their limits is left. Keys can be replaced while requests run: who
// keeps their name keeps what they have used. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/api_keys.h"
#include "net/http_server.h"
#include "policy/rate_limit.h"
#include "protocol/api_error.h"

namespace switchyard::access {

// One name, with what it has used.
class KeyHolder {
 public:
  using Clock = std::chrono::steady_clock;

  explicit KeyHolder(const KeyTerms& terms);

  const std::string& name() const { return name_; }
  std::int32_t priority() const { return priority_; }
  void SetTerms(const KeyTerms& terms);

  // May a request of about so many tokens begin?
  policy::RateDecision Ask(std::int64_t tokens);
  // One that might has ended.
  void Leave(std::int64_t reserved_tokens, std::int64_t prompt_tokens,
             std::int64_t completion_tokens);

 private:
  friend class KeyRing;
  static double Now();

  const std::string name_;
  std::atomic<std::int32_t> priority_;
  std::mutex mutex_;
  policy::RateLimiter limiter_;  // guarded by `mutex_`
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<std::uint64_t> prompt_tokens_ = 0;
  std::atomic<std::uint64_t> completion_tokens_ = 0;
  std::atomic<std::uint64_t> refused_[4] = {};  // by RateRefusal
};

class KeyRing {
 public:
  // None: anyone may ask.
  explicit KeyRing(std::optional<ApiKeys> keys);

  void Replace(ApiKeys keys);
  bool is_open() const { return is_open_; }
  // Shared with the requests in progress; null if the key is unknown.
  std::shared_ptr<KeyHolder> Find(std::string_view authorization) const;
  // For GET /metrics.
  std::string Render() const;

 private:
  struct Table {
    ApiKeys keys;
    std::vector<std::shared_ptr<KeyHolder>> holders;  // by the keys' terms
  };
  std::shared_ptr<const Table> table() const;

  const bool is_open_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;  // shared with who looks into it; guarded by `mutex_`
};

// An admitted request's place with its key, which it gives back at its end, whatever that is.
class KeyUse {
 public:
  KeyUse() = default;  // nobody asked for a key
  // `holder` has admitted it.
  KeyUse(std::shared_ptr<KeyHolder> holder, std::int64_t reserved_tokens,
         std::int64_t prompt_tokens)
      : holder_(std::move(holder)),
        reserved_tokens_(reserved_tokens),
        prompt_tokens_(prompt_tokens) {}
  KeyUse(KeyUse&&) = default;
  KeyUse& operator=(KeyUse&& other) {
    Settle(false, 0);
    holder_ = std::move(other.holder_);
    reserved_tokens_ = other.reserved_tokens_;
    prompt_tokens_ = other.prompt_tokens_;
    return *this;
  }
  ~KeyUse() { Settle(false, 0); }

  // What it has used; only the first call counts.
  void Settle(bool has_begun, std::int64_t completion_tokens) {
    if (holder_ == nullptr) return;
    holder_->Leave(reserved_tokens_, has_begun ? prompt_tokens_ : 0, completion_tokens);
    holder_.reset();
  }

 private:
  std::shared_ptr<KeyHolder> holder_;  // with the ring
  std::int64_t reserved_tokens_ = 0;
  std::int64_t prompt_tokens_ = 0;
};

// OpenAI's x-ratelimit-*, for each limit that there is.
net::HttpHeaders RateHeaders(const policy::RateDecision& decision);

// 429, and its Retry-After.
protocol::ApiError RateLimited(const KeyHolder& holder, const policy::RateDecision& decision);
net::HttpHeaders RetryHeaders(const policy::RateDecision& decision);

}  // namespace switchyard::access
