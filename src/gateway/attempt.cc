#include "gateway/attempt.h"

#include <utility>

#include "gateway/member_record.h"

namespace switchyard::gateway {

std::string_view Name(FailureCause cause) {
  switch (cause) {
    case FailureCause::kRefused:
      return "refused";
    case FailureCause::kReset:
      return "reset";
    case FailureCause::kNoFirstToken:
      return "no_first_token";
    case FailureCause::kStall:
      return "stall";
    case FailureCause::kLost:
      return "lost";
    case FailureCause::kCutShort:
      return "cut_short";
    case FailureCause::kServerError:
      return "server_error";
    case FailureCause::kNotUnderstood:
      return "not_understood";
    case FailureCause::kOverloaded:
      return "overloaded";
    case FailureCause::kHandBack:
      return "hand_back";
    case FailureCause::kTakenOut:
      return "taken_out";
    case FailureCause::kNotServed:
      return "not_served";
  }
  return "unknown";
}

Attempt::Attempt(std::shared_ptr<MemberRecord> record, std::int64_t prompt_tokens,
                 std::int64_t cached_tokens)
    : record_(std::move(record)),
      times_(record_->Begin(prompt_tokens, cached_tokens, MemberRecord::Now())) {}

Attempt& Attempt::operator=(Attempt&& other) noexcept {
  if (this == &other) return *this;
  Cancelled();
  record_ = std::move(other.record_);
  times_ = other.times_;
  return *this;
}

void Attempt::FirstToken() {
  if (record_ == nullptr || times_.first_token_s) return;
  record_->FirstToken(times_, MemberRecord::Now());
}

void Attempt::Finished(std::int64_t prompt_tokens, std::int64_t completion_tokens) {
  if (const auto record = std::exchange(record_, nullptr)) {
    record->Finished(times_, prompt_tokens, completion_tokens, MemberRecord::Now());
  }
}

void Attempt::Failed(FailureCause cause, std::chrono::milliseconds retry_after) {
  if (const auto record = std::exchange(record_, nullptr)) {
    record->Failed(times_, cause, static_cast<double>(retry_after.count()) / 1000,
                   MemberRecord::Now());
  }
}

void Attempt::Cancelled() {
  if (const auto record = std::exchange(record_, nullptr)) {
    record->Cancelled(times_, MemberRecord::Now());
  }
}

void Attempt::OnCut(std::function<void()> on_cut) {
  if (record_ != nullptr) record_->OnCut(times_, std::move(on_cut));
}

}  // namespace switchyard::gateway
