#include "net/event_loop.h"

#include <boost/asio/post.hpp>
#include <cstdint>
#include <future>

#include "net/internal/asio_loop.h"
#include "net/internal/loop_types.h"

namespace switchyard::net {
namespace {

namespace asio = boost::asio;

class AsioTimer final : public LoopTimer {
 public:
  explicit AsioTimer(asio::io_context& io) : timer_(io) {}
  ~AsioTimer() override { Stop(); }

  void Start(std::chrono::milliseconds time, std::function<void()> work) override {
    *round_ += 1;
    timer_.expires_after(time);
    // A timer that has expired already can't be cancelled any more; the round tells.
    timer_.async_wait([round = round_, mine = *round_, work = std::move(work)](auto error) {
      if (!error && *round == mine) work();
    });
  }
  void Stop() override {
    *round_ += 1;
    timer_.cancel();
  }

 private:
  internal::LoopWait timer_;
  // Shared with waits that may outlive the timer by one turn of the loop.
  std::shared_ptr<std::uint64_t> round_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace

namespace internal {

AsioLoop::AsioLoop() : work_(asio::make_work_guard(io_)), thread_([this] { io_.run(); }) {}

AsioLoop::~AsioLoop() {
  io_.stop();
  thread_.join();
}

void AsioLoop::Post(std::function<void()> work) { asio::post(io_, std::move(work)); }

void AsioLoop::Run(const std::function<void()>& work) {
  std::promise<void> done;
  Post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

std::unique_ptr<LoopTimer> AsioLoop::NewTimer() { return std::make_unique<AsioTimer>(io_); }

}  // namespace internal

std::unique_ptr<EventLoop> EventLoop::Create() { return std::make_unique<internal::AsioLoop>(); }

}  // namespace switchyard::net
