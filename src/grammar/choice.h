// One of some given texts, as vLLM's guided_choice asks for. A pure function; any thread.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

// At least one, and none empty.
base::Result<Grammar> FromChoices(std::span<const std::string> choices);

}  // namespace switchyard::grammar
