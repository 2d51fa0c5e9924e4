// What an answer to a chat may hold, of the request and of the model. Any thread.
#pragma once

#include <vector>

#include "protocol/choice_writer.h"
#include "protocol/completion_request.h"
#include "server/text_model.h"

namespace switchyard::server {

protocol::ChoiceForm FormOf(const protocol::CompletionRequest& request,
                            const protocol::TemplateTraits& traits, bool begins_in_reasoning);

// The special tokens that stand for marks of the form, and so belong to the text.
std::vector<engine::TokenId> ShownTokens(const protocol::AnswerForm& form, const TextModel& text);

}  // namespace switchyard::server
