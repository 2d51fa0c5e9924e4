#include "grammar/choice.h"

#include <vector>

namespace switchyard::grammar {

base::Result<Grammar> FromChoices(std::span<const std::string> choices) {
  if (choices.empty()) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "there are no choices: name at least one");
  }
  Grammar grammar;
  std::vector<ExprId> texts;
  for (const std::string& choice : choices) {
    if (choice.empty()) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "choice {} is empty", texts.size());
    }
    texts.push_back(grammar.Literal(choice));
  }
  grammar.SetRoot(grammar.Choice(texts));
  return grammar;
}

}  // namespace switchyard::grammar
