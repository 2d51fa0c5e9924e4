#include "gateway/member_watch.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "gateway/internal/member_calls.h"
#include "gateway/internal/watched_member.h"

namespace switchyard::gateway {
namespace {

class Watching final : public MemberWatch {
 public:
  explicit Watching(Fleet& fleet) : fleet_(fleet), loop_(net::EventLoop::Create()), calls_(*loop_) {
    loop_->Run([this] {
      timer_ = loop_->NewTimer();
      Round();
    });
  }
  ~Watching() override {
    loop_->Run([this] {
      timer_.reset();
      watched_.clear();
      calls_.Close();
    });
  }

 private:
  void Round() {
    const auto view = fleet_.snapshot();
    std::erase_if(watched_, [&](const auto& entry) {
      const Member* member = view->Find(entry.first);
      // Another server under the same name is another member.
      return member == nullptr || !entry.second->Watches(*member);
    });
    for (const Member& member : view->members) {
      auto& watched = watched_[member.name()];
      if (watched == nullptr) {
        watched = std::make_unique<internal::WatchedMember>(member.config, fleet_, calls_);
      }
      watched->Ask(view->config->watch);
    }
    fleet_.EjectOutliers();
    timer_->Start(view->config->watch.every, [this] { Round(); });
  }

  Fleet& fleet_;
  const std::unique_ptr<net::EventLoop> loop_;
  // What follows lives on the loop.
  internal::MemberCalls calls_;
  std::map<std::string, std::unique_ptr<internal::WatchedMember>, std::less<>> watched_;
  std::unique_ptr<net::LoopTimer> timer_;
};

}  // namespace

std::unique_ptr<MemberWatch> MemberWatch::Start(Fleet& fleet) {
  return std::make_unique<Watching>(fleet);
}

}  // namespace switchyard::gateway
