// The answers in progress, so that all of them can be told of a drain at once. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace switchyard::server {

class Answer;

class LiveAnswers {
 public:
  void Add(const std::shared_ptr<Answer>& answer);
  void Remove(const Answer* answer);

  // Answer::OnDrain of each that is in progress. One that is added later looks for itself.
  void TellOfDrain();

 private:
  std::mutex mutex_;
  std::unordered_map<const Answer*, std::weak_ptr<Answer>> answers_;
};

}  // namespace switchyard::server
