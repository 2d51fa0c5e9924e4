// The answers in progress, so that all of them can be given back at once. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace switchyard::server {

class Answer;

class LiveAnswers {
 public:
  // False when everything has been given back: so must this one be.
  bool Add(const std::shared_ptr<Answer>& answer);
  void Remove(const Answer* answer);

  // Answer::HandBack of each that is in progress, and false for all that come later.
  void HandBackAll();

 private:
  std::mutex mutex_;
  bool is_giving_back_ = false;
  std::unordered_map<const Answer*, std::weak_ptr<Answer>> answers_;
};

}  // namespace switchyard::server
