// The io_context behind an EventLoop, for the servers and clients that run on it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <thread>

#include "net/event_loop.h"

namespace switchyard::net::internal {

class AsioLoop final : public EventLoop {
 public:
  AsioLoop();
  ~AsioLoop() override;

  void Post(std::function<void()> work) override;
  void Run(const std::function<void()>& work) override;
  std::unique_ptr<LoopTimer> NewTimer() override;

  boost::asio::io_context& io() { return io_; }
  static AsioLoop& Of(EventLoop& loop) { return static_cast<AsioLoop&>(loop); }

 private:
  boost::asio::io_context io_{1};  // Asio's hint that one thread runs it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace switchyard::net::internal
