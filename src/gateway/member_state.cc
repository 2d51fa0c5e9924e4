#include "gateway/member_state.h"

#include <algorithm>

namespace switchyard::gateway {

HandOverLevel LevelOf(const Abilities& abilities) {
  if (abilities.resume == Known::kYes) return HandOverLevel::kTokens;
  if (abilities.token_prompts == Known::kYes || abilities.continuation == Known::kYes) {
    return HandOverLevel::kContinue;
  }
  return HandOverLevel::kRestart;
}

bool ModelState::IsCalled(std::string_view name) const {
  return upstream == name || std::ranges::find(aliases, name) != aliases.end();
}

}  // namespace switchyard::gateway
