#include "gateway/member_state.h"

namespace switchyard::gateway {

HandOverLevel LevelOf(const Abilities& abilities) {
  if (abilities.resume == Known::kYes) return HandOverLevel::kTokens;
  if (abilities.token_prompts == Known::kYes || abilities.continuation == Known::kYes) {
    return HandOverLevel::kContinue;
  }
  return HandOverLevel::kRestart;
}

}  // namespace switchyard::gateway
