#include "server/chat_form.h"

namespace switchyard::server {

protocol::ChoiceForm FormOf(const protocol::CompletionRequest& request,
                            const protocol::TemplateTraits& traits, bool begins_in_reasoning) {
  const protocol::ToolFields& tools = request.chat.tools;
  protocol::ChoiceForm form;
  if (tools.may_call()) form.answer.format = traits.format;
  form.answer.tools = tools.tools;
  if (!tools.parallel) form.answer.max_calls = 1;
  form.answer.reasoning = traits.reasoning;
  form.answer.begins_in_reasoning = begins_in_reasoning;
  form.tells_reasoning = request.tells_reasoning;
  return form;
}

std::vector<engine::TokenId> ShownTokens(const protocol::AnswerForm& form, const TextModel& text) {
  std::vector<engine::TokenId> tokens;
  const auto add = [&](std::string_view mark) {
    if (const auto token = text.FindToken(mark)) tokens.push_back(*token);
  };
  if (form.reasoning) {
    add(form.reasoning->open);
    add(form.reasoning->close);
  }
  if (form.format == nullptr) return tokens;
  for (const auto* marks : {&form.format->preludes, &form.format->openers, &form.format->closers,
                            &form.format->inner}) {
    for (const std::string_view mark : *marks) add(mark);
  }
  return tokens;
}

}  // namespace switchyard::server
