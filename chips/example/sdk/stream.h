// Inside the pretended library: streams as threads, and where the card's memory really is.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "pretend.h"

namespace pretend {

// Where `bytes` at an address lie in this process; null unless all of them are the card's.
std::byte* Translate(const Card* card, Address address, std::uint64_t bytes);

// A point that a stream has passed or will.
struct Marker {
  std::mutex mutex;
  std::condition_variable passed;
  bool is_passed = false;
  Result result = Result::kOk;  // of the stream's work until here

  void Pass(Result reached);
  Result Await();
};

struct Stream {
  explicit Stream(Card* owner);
  ~Stream();
  void Push(std::function<Result()> task);
  // Passed even after a failure, which it is told of; `ends_failure` if the caller will be told
  // too.
  void PushMarker(const std::shared_ptr<Marker>& marker, bool ends_failure);

  Card* const card;

 private:
  struct Task {
    std::function<Result()> work;  // empty: pass the marker
    std::shared_ptr<Marker> marker;
    bool ends_failure = false;
  };
  void Enqueue(Task task);
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool is_closing_ = false;
  std::thread thread_;
};

}  // namespace pretend
