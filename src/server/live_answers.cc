#include "server/live_answers.h"

#include "server/answer.h"

namespace switchyard::server {

void LiveAnswers::Add(const std::shared_ptr<Answer>& answer) {
  const std::lock_guard lock(mutex_);
  answers_.emplace(answer.get(), answer);
}

void LiveAnswers::Remove(const Answer* answer) {
  const std::lock_guard lock(mutex_);
  answers_.erase(answer);
}

void LiveAnswers::TellOfDrain() {
  std::vector<std::shared_ptr<Answer>> live;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, answer] : answers_) {
      if (auto held = answer.lock()) live.push_back(std::move(held));
    }
  }
  for (const std::shared_ptr<Answer>& answer : live) answer->OnDrain();
}

}  // namespace switchyard::server
