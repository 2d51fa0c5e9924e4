#include "server/live_answers.h"

#include "server/answer.h"

namespace switchyard::server {

bool LiveAnswers::Add(const std::shared_ptr<Answer>& answer) {
  const std::lock_guard lock(mutex_);
  if (is_giving_back_) return false;
  answers_.emplace(answer.get(), answer);
  return true;
}

void LiveAnswers::Remove(const Answer* answer) {
  const std::lock_guard lock(mutex_);
  answers_.erase(answer);
}

void LiveAnswers::HandBackAll() {
  std::vector<std::shared_ptr<Answer>> live;
  {
    const std::lock_guard lock(mutex_);
    is_giving_back_ = true;
    for (const auto& [key, answer] : answers_) {
      if (auto held = answer.lock()) live.push_back(std::move(held));
    }
  }
  for (const std::shared_ptr<Answer>& answer : live) answer->HandBack();
}

}  // namespace switchyard::server
