// One use of a member for one request, and why it may fail.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace switchyard::gateway {

class MemberRecord;  // where it counts; gateway/member_record.h

enum class FailureCause : std::uint8_t {
  kRefused,        // no connection
  kReset,          // the connection broke
  kNoFirstToken,   // in time
  kStall,          // no further token in time
  kLost,           // it answered nobody any more
  kCutShort,       // an end without finish_reason
  kServerError,    // HTTP 5xx, or an error in the stream
  kNotUnderstood,  // an answer that is none
  kOverloaded,     // 429 or 503, with a time to wait perhaps; no failure for the breaker
  kTakenOut,       // an operator cut it off; no failure of the member's
  kNotServed,      // its engine has no such endpoint; no failure either
  kHandBack,       // the member's own word; no failure either; stays the last
};

constexpr auto kFailureCauses = static_cast<std::size_t>(FailureCause::kHandBack) + 1;
std::string_view Name(FailureCause cause);

// In seconds of the steady clock.
struct AttemptTimes {
  std::uint64_t era = 0;  // of the breaker, when it began
  std::int64_t prompt_tokens = 0;
  std::int64_t unread_tokens = 0;  // of those, that it had to compute
  std::int64_t ahead_tokens = 0;   // of others, that it had to compute before
  double began_s = 0;
  std::uint64_t number = 0;  // of the member's attempts
  std::optional<double> first_token_s = {};
};

// One use of a member for one request, from its begin to its end; an attempt that ends without a
// word was cancelled, which is nobody's fault. Movable; one thread at a time.
class Attempt {
 public:
  Attempt() = default;
  // About how many tokens it is sent, and has of them.
  Attempt(std::shared_ptr<MemberRecord> record, std::int64_t prompt_tokens,
          std::int64_t cached_tokens);
  Attempt(Attempt&& other) noexcept = default;
  Attempt& operator=(Attempt&& other) noexcept;
  ~Attempt() { Cancelled(); }

  explicit operator bool() const { return record_ != nullptr; }
  // The first token, or the head of an answer that is no stream, has come.
  void FirstToken();
  // The first of these counts.
  void Finished(std::int64_t prompt_tokens, std::int64_t completion_tokens);
  void Failed(FailureCause cause, std::chrono::milliseconds retry_after = {});
  void Cancelled();
  // `on_cut` is called, on any thread and perhaps after the end, if an operator takes the member
  // out meanwhile: the answer is to go on elsewhere, and this attempt has Failed by kTakenOut.
  // Once.
  void OnCut(std::function<void()> on_cut);

 private:
  std::shared_ptr<MemberRecord> record_;  // with the fleet; null: over
  AttemptTimes times_;
};

}  // namespace switchyard::gateway
