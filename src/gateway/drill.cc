#include "gateway/drill.h"

#include <algorithm>
#include <utility>

#include "gateway/member_record.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

bool Has(const std::vector<std::string>& texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

// A model that only those serve; empty: none.
std::string LeftWithout(const FleetView& view, const std::vector<std::string>& out) {
  for (const std::string& model : view.Models()) {
    bool is_left = false;
    for (const Member& member : view.members) {
      const bool is_there = !Has(out, member.name()) && !member.state->is_lost &&
                            !member.is_draining && !member.is_forbidden;
      is_left |= is_there && member.Model(model) != nullptr;
    }
    if (!is_left) return model;
  }
  return {};
}

}  // namespace

Drill::Drill(net::EventLoop& loop, Fleet& fleet, const FeltLog& felt)
    : loop_(loop), fleet_(fleet), felt_(felt) {
  loop_.Run([this] { timer_ = loop_.NewTimer(); });
}

Drill::~Drill() {
  loop_.Run([this] {
    timer_.reset();
    End();
  });
}

base::Status Drill::Begin(std::string what, std::chrono::seconds time, std::string actor) {
  const auto view = fleet_.snapshot();
  const std::vector<std::string> members = fleet_.Meant(what);
  if (members.empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "no member is meant by '{}'", what);
  }
  if (const std::string model = LeftWithout(*view, members); !model.empty()) {
    return Fail(ErrorCode::kAborted,
                "without '{}' nobody would be left who serves '{}'; add a member first", what,
                model);
  }
  {
    const std::lock_guard lock(mutex_);
    if (run_ && !run_->is_over) {
      return Fail(ErrorCode::kFailedPrecondition, "a drill of '{}' still runs", run_->what);
    }
    const double now_s = MemberRecord::Now();
    const auto time_s = static_cast<double>(time.count());
    run_ = Run{.what = what,
               .actor = actor,
               .members = members,
               .time_s = time_s,
               .begin_s = now_s,
               .before = felt_.Report(now_s - time_s, now_s),
               .during = {}};
  }
  fleet_.BeginDrill(what, actor);
  const std::size_t cut = fleet_.Cut(what);
  {
    const std::lock_guard lock(mutex_);
    run_->cut = cut;
  }
  loop_.Post([this, time] { timer_->Start(time, [this] { End(); }); });
  return {};
}

void Drill::End() {
  std::string what;
  std::string actor;
  {
    const std::lock_guard lock(mutex_);
    if (!run_ || run_->is_over) return;
    run_->is_over = true;
    run_->during = felt_.Report(run_->begin_s, MemberRecord::Now());
    what = run_->what;
    actor = run_->actor;
  }
  fleet_.EndDrill(what, actor);
}

base::Json Drill::Report() const {
  const std::lock_guard lock(mutex_);
  if (!run_) return nullptr;
  const double now_s = MemberRecord::Now();
  return {{"what", run_->what},
          {"by", run_->actor},
          {"members", run_->members},
          {"seconds", run_->time_s},
          {"is_over", run_->is_over},
          {"answers_cut", run_->cut},
          {"before", ToJson(run_->before)},
          {"during", ToJson(run_->is_over ? run_->during : felt_.Report(run_->begin_s, now_s))}};
}

base::Json ToJson(const FeltReport& report) {
  return {
      {"requests", report.requests},
      {"whole", report.whole},
      {"refused", report.refused},
      {"broken", report.broken},
      {"cancelled", report.cancelled},
      {"moved", report.moved},
      {"tokens", report.tokens},
      {"first_token_ms", {{"p50", report.first_token_p50_ms}, {"p99", report.first_token_p99_ms}}},
      {"longest_gap_ms",
       {{"p50", report.gap_p50_ms}, {"p99", report.gap_p99_ms}, {"most", report.gap_most_ms}}}};
}

}  // namespace switchyard::gateway
