// One thread that runs sockets, timers and callbacks one after the other, so that what lives on it
// needs no locks. HTTP servers and clients that are to share a thread are given the same loop, which
// must outlive them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace switchyard::net {

// Fires once for each Start, on the loop's thread, unless it is started again, stopped or destroyed
// before. To be used on the loop's thread only.
class LoopTimer {
 public:
  virtual ~LoopTimer() = default;
  virtual void Start(std::chrono::milliseconds time, std::function<void()> work) = 0;
  virtual void Stop() = 0;
};

class EventLoop {
 public:
  // Runs at once.
  static std::unique_ptr<EventLoop> Create();
  // Ends the thread. What has not run by then is dropped.
  virtual ~EventLoop() = default;

  // Any thread.
  virtual void Post(std::function<void()> work) = 0;
  // Runs `work` on the loop and waits for it; not from the loop's own thread.
  virtual void Run(const std::function<void()>& work) = 0;
  virtual std::unique_ptr<LoopTimer> NewTimer() = 0;
};

}  // namespace switchyard::net
