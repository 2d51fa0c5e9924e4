#include "gateway/internal/ability_probe.h"

#include <chrono>

#include "base/json.h"

namespace switchyard::gateway::internal {
namespace {

using base::Json;

// A loaded engine may take its time for a token.
constexpr std::chrono::milliseconds kPatience{30'000};

Json Chat(const std::string& model) {
  return {{"model", model},
          {"max_tokens", 1},
          {"temperature", 0},
          {"messages", Json::array({{{"role", "user"}, {"content", "Hi"}}})}};
}

bool HasTokenIds(const std::string& body) {
  const auto json = base::ParseJson(body, "the answer");
  const Json::json_pointer ids("/choices/0/token_ids");
  return json && json->contains(ids) && json->at(ids).is_array();
}

bool CountsThreePromptTokens(const std::string& body) {
  const auto json = base::ParseJson(body, "the answer");
  const Json::json_pointer count("/usage/prompt_tokens");
  return json && json->contains(count) && json->at(count) == 3;
}

Known YesIf(bool is_so) { return is_so ? Known::kYes : Known::kNo; }

}  // namespace

void AbilityProbe::Begin(const std::vector<ModelState>& models) {
  if (step_ != Step::kNone || models.empty()) return;
  model_ = models.front().upstream;
  Ask(Step::kTokenIds);
}

void AbilityProbe::Ask(Step step) {
  step_ = step;
  std::string path = "/v1/chat/completions";
  Json body;
  if (step == Step::kTokenIds) {
    body = Chat(model_);
    body["return_token_ids"] = true;
  } else if (step == Step::kTokenPrompts) {
    path = "/v1/completions";
    body = {{"model", model_},
            {"max_tokens", 1},
            {"temperature", 0},
            {"prompt", {1, 2, 3}},
            {"return_token_ids", true}};
  } else {
    // Both together contradict each other: who knows the two fields says 400, and who does not
    // ignores them.
    body = Chat(model_);
    body["messages"].push_back({{"role", "assistant"}, {"content", "Hel"}});
    body["continue_final_message"] = true;
    body["add_generation_prompt"] = true;
  }
  fetch_ = calls_.Send(member_, path, base::WriteJson(body), kPatience, [this](auto answer) {
    if (answer && answer->status < 500 && answer->status != 429) {
      Heard(*answer);
    } else {
      step_ = Step::kNone;  // another time
    }
  });
}

void AbilityProbe::Heard(const net::FetchedAnswer& answer) {
  const bool is_answered = answer.status == 200;
  switch (step_) {
    case Step::kTokenIds:
      found_.token_ids = YesIf(is_answered && HasTokenIds(answer.body));
      return Ask(Step::kTokenPrompts);
    case Step::kTokenPrompts:
      // Three, or it took them for something else; and an answer that goes on so must tell its ids.
      found_.token_prompts = YesIf(is_answered && HasTokenIds(answer.body) &&
                                   CountsThreePromptTokens(answer.body));
      return Ask(Step::kContinuation);
    case Step::kContinuation:
      found_.continuation = YesIf(answer.status == 400 || answer.status == 422);
      step_ = Step::kOver;
      return;
    case Step::kNone:
    case Step::kOver:
      return;
  }
}

}  // namespace switchyard::gateway::internal
