// Finds out by a few requests of one token what a server of OpenAI's protocol can do for a
// hand-over. Once; a server that fails to answer is asked again later. On the loop only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/internal/member_calls.h"
#include "gateway/member_state.h"

namespace switchyard::gateway::internal {

class AbilityProbe {
 public:
  // Both outlive it.
  AbilityProbe(const MemberConfig& member, MemberCalls& calls) : member_(member), calls_(calls) {}

  // With the first of these models. Does nothing if it has begun, or if there is none.
  void Begin(const std::vector<ModelState>& models);
  bool IsOver() const { return step_ == Step::kOver; }
  const Abilities& found() const { return found_; }

 private:
  enum class Step { kNone, kTokenIds, kTokenPrompts, kContinuation, kOver };
  void Ask(Step step);
  void Heard(const net::FetchedAnswer& answer);

  const MemberConfig& member_;
  MemberCalls& calls_;
  std::string model_;
  Abilities found_{.resume = Known::kNo};
  Step step_ = Step::kNone;
  std::unique_ptr<net::HttpFetch> fetch_;
};

}  // namespace switchyard::gateway::internal
