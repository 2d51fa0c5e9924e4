#include "net/http_fetch.h"

#include <utility>

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Fail;

class Fetching final : public CallListener {
 public:
  Fetching(EventLoop& loop, const FetchLimits& limits,
           std::function<void(base::Result<FetchedAnswer>)> told)
      : loop_(loop), limits_(limits), told_(std::move(told)), timer_(loop.NewTimer()) {}

  void Begin(HttpClient& client, const HttpOrigin& origin, CallRequest request,
             const std::shared_ptr<Fetching>& self) {
    timer_->Start(limits_.total, [weak = std::weak_ptr(self)] {
      if (const auto fetching = weak.lock()) {
        fetching->End(Fail(ErrorCode::kDeadlineExceeded, "there was no whole answer within {} ms",
                           fetching->limits_.total.count()));
      }
    });
    call_ = client.Send(origin, std::move(request), self);
  }
  // Nothing is told any more.
  void Cancel() {
    told_ = nullptr;
    Drop();
  }

  void OnHead(CallHead head) override {
    answer_.status = head.status;
    answer_.headers = std::move(head.headers);
  }
  void OnBody(std::string_view piece) override {
    if (told_ == nullptr) return;
    if (piece.size() > limits_.max_bytes - answer_.body.size()) {
      return End(Fail(ErrorCode::kResourceExhausted, "the answer is longer than {} bytes",
                      limits_.max_bytes));
    }
    answer_.body += piece;
  }
  void OnEnd() override { End(std::move(answer_)); }
  void OnFailure(CallFailure failure) override { End(std::unexpected(std::move(failure.error))); }

 private:
  void End(base::Result<FetchedAnswer> result) {
    const auto told = std::exchange(told_, nullptr);
    Drop();
    if (told != nullptr) told(std::move(result));
  }
  // The call shares this, and may be what has called; it goes a turn of the loop later.
  void Drop() {
    timer_->Stop();
    if (call_ == nullptr) return;
    call_->Cancel();
    loop_.Post([call = std::shared_ptr<HttpCall>(std::move(call_))] {});
  }

  EventLoop& loop_;
  const FetchLimits limits_;
  std::function<void(base::Result<FetchedAnswer>)> told_;  // null: told or cancelled
  std::unique_ptr<LoopTimer> timer_;
  std::unique_ptr<HttpCall> call_;
  FetchedAnswer answer_;
};

class Handle final : public HttpFetch {
 public:
  explicit Handle(std::shared_ptr<Fetching> fetching) : fetching_(std::move(fetching)) {}
  ~Handle() override { fetching_->Cancel(); }

 private:
  std::shared_ptr<Fetching> fetching_;  // with the call
};

}  // namespace

std::unique_ptr<HttpFetch> Fetch(EventLoop& loop, HttpClient& client, const HttpOrigin& origin,
                                 CallRequest request, const FetchLimits& limits,
                                 std::function<void(base::Result<FetchedAnswer>)> told) {
  auto fetching = std::make_shared<Fetching>(loop, limits, std::move(told));
  fetching->Begin(client, origin, std::move(request), fetching);
  return std::make_unique<Handle>(std::move(fetching));
}

void SetBody(CallRequest& request, std::string text) {
  auto kept = std::make_shared<const std::string>(std::move(text));
  request.body = {*kept};
  request.keeper = std::move(kept);
}

}  // namespace switchyard::net
