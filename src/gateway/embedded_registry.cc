#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "gateway/registry.h"

namespace switchyard::gateway {
namespace {

using Clock = std::chrono::steady_clock;

// How late the end of a lease may be seen.
constexpr std::chrono::milliseconds kTick{100};

class EmbeddedRegistry final : public Registry {
 public:
  EmbeddedRegistry(net::EventLoop& loop, Fleet& fleet) : loop_(loop), fleet_(fleet) {
    loop_.Run([this] {
      timer_ = loop_.NewTimer();
      Tick();
    });
  }
  ~EmbeddedRegistry() override {
    loop_.Run([this] { timer_.reset(); });
  }

  void Register(MemberConfig member, std::string actor, Done done) override {
    loop_.Post(
        [this, member = std::move(member), actor = std::move(actor), done = std::move(done)] {
          const base::Status status = fleet_.Join(member, actor);
          if (status) ends_[member.name] = Clock::now() + fleet_.snapshot()->config->registry.lease;
          done(status);
        });
  }

  void Remove(std::string name, std::string actor, Done done) override {
    loop_.Post([this, name = std::move(name), actor = std::move(actor), done = std::move(done)] {
      ends_.erase(name);
      fleet_.Leave(name, actor);
      done({});
    });
  }

  void Share(FleetOrder, Done done) override { done({}); }  // there is no other

 private:
  void Tick() {
    const auto now = Clock::now();
    for (auto lease = ends_.begin(); lease != ends_.end();) {
      if (lease->second > now) {
        ++lease;
        continue;
      }
      fleet_.Leave(lease->first, "gateway");
      lease = ends_.erase(lease);
    }
    timer_->Start(kTick, [this] { Tick(); });
  }

  net::EventLoop& loop_;
  Fleet& fleet_;
  // The loop's.
  std::map<std::string, Clock::time_point> ends_;
  std::unique_ptr<net::LoopTimer> timer_;
};

}  // namespace

std::unique_ptr<Registry> StartEmbeddedRegistry(net::EventLoop& loop, Fleet& fleet) {
  return std::make_unique<EmbeddedRegistry>(loop, fleet);
}

}  // namespace switchyard::gateway
