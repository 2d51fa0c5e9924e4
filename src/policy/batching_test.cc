// Single rules by example, and whole histories by properties: requests of all kinds on a pool of
// pages, step after step, as an engine would run them.
#include "policy/batching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>

#include "policy/tenant_turns.h"

namespace switchyard::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<std::int64_t> kServed{0, 0, 0};

BatchLimits Limits() {
  return {
      .pages = 16, .page_size = 4, .sequences = 4, .step_tokens = 16, .prefill_beside_decode = 6};
}

TEST(Batching, NothingToDo) { EXPECT_EQ(PlanBatch({{}, {}, kServed, Limits()}), BatchPlan{}); }

TEST(Batching, PromptsAreFedInChunksBesideDecoding) {
  const std::vector<PageId> pages{0};
  const std::vector<SequenceState> running{{.id = 1, .tokens = 3, .cached = 2, .pages = pages}};
  const std::vector<SequenceState> waiting{{.id = 2, .tokens = 20}};
  const BatchPlan plan = PlanBatch({running, waiting, kServed, Limits()});
  EXPECT_THAT(plan.preempted, IsEmpty());
  EXPECT_THAT(plan.admitted, ElementsAre(2));
  EXPECT_THAT(plan.feeds, ElementsAre(Feed{1, 1}, Feed{2, 6}));
  EXPECT_THAT(PlanBatch({{}, waiting, kServed, Limits()}).feeds, ElementsAre(Feed{2, 16}));
}

TEST(Batching, PriorityThenTenantThenAgeDecideWhoBegins) {
  BatchLimits limits = Limits();
  limits.sequences = 2;
  const std::vector<PageId> pages{0};
  const std::vector<SequenceState> running{{.id = 1, .tokens = 3, .cached = 2, .pages = pages}};
  std::vector<SequenceState> waiting{{.id = 2, .tenant = 1, .tokens = 2},
                                     {.id = 3, .tenant = 2, .tokens = 2},
                                     {.id = 4, .tenant = 2, .tokens = 2}};
  const std::vector<std::int64_t> served{0, 50, 20};
  EXPECT_THAT(PlanBatch({running, waiting, served, limits}).admitted, ElementsAre(3));
  waiting[2].priority = 1;
  EXPECT_THAT(PlanBatch({running, waiting, served, limits}).admitted, ElementsAre(4));
}

TEST(Batching, AShortPromptPassesLongOnesThatCameJustBefore) {
  BatchLimits limits = Limits();
  limits.sequences = 2;
  const std::vector<PageId> page{0};
  const std::vector<PageId> cached{1, 2, 3, 4};
  const std::vector<SequenceState> running{{.id = 1, .tokens = 3, .cached = 2, .pages = page}};
  std::vector<SequenceState> waiting{
      {.id = 2, .arrived_at = 100, .tokens = 20},
      {.id = 3, .arrived_at = 110, .tokens = 20, .cached = 16, .pages = cached}};
  EXPECT_THAT(PlanBatch({running, waiting, kServed, limits}).admitted, ElementsAre(3));
  waiting[1].arrived_at = 300;  // when much had been computed since the long one came
  EXPECT_THAT(PlanBatch({running, waiting, kServed, limits}).admitted, ElementsAre(2));
}

// However many short prompts come: each step brings as many tokens of them as it can compute.
TEST(Batching, ALongPromptIsPassedByEightTimesItsLengthAtMost) {
  const BatchLimits limits{
      .pages = 64, .page_size = 4, .sequences = 8, .step_tokens = 17, .prefill_beside_decode = 16};
  const std::vector<PageId> page{0};
  // The oldest of all decodes all the while, so that rule 1 is no help.
  const std::vector<SequenceState> running{{.id = 1, .tokens = 3, .cached = 2, .pages = page}};
  constexpr std::int64_t kLong = 60;
  std::vector<SequenceState> waiting{{.id = 2, .tokens = kLong}};
  std::int64_t computed = 0;
  for (std::uint64_t id = 3;; id += 4) {
    for (std::uint64_t each = id; each < id + 4; ++each) {
      waiting.push_back({.id = each, .arrived_at = computed, .tokens = 4});
    }
    const BatchPlan plan = PlanBatch({running, waiting, kServed, limits});
    if (std::ranges::count(plan.feeds, 2U, &Feed::id) > 0) break;
    for (const Feed& feed : plan.feeds) {
      computed += feed.tokens;
      std::erase_if(waiting, [&](const SequenceState& one) { return one.id == feed.id; });
    }
    ASSERT_LE(computed, 8 * kLong);
  }
  EXPECT_GT(computed, 4 * kLong);  // they did pass it
}

TEST(Batching, TheYoungestOfTheLowestPriorityGivesWay) {
  BatchLimits limits = Limits();
  limits.pages = 4;
  const std::vector<PageId> a{0};
  const std::vector<PageId> b{1};
  const std::vector<PageId> c{2};
  const std::vector<PageId> d{3};
  // Each page is full: every decode needs another.
  std::vector<SequenceState> running{
      {.id = 1, .tokens = 5, .cached = 4, .pages = a},
      {.id = 2, .tokens = 5, .cached = 4, .pages = b},
      {.id = 3, .priority = -1, .tokens = 5, .cached = 4, .pages = c},
      {.id = 4, .tokens = 5, .cached = 4, .pages = d}};
  const BatchPlan plan = PlanBatch({running, {}, kServed, limits});
  EXPECT_THAT(plan.preempted, ElementsAre(3, 4));
  EXPECT_THAT(plan.feeds, ElementsAre(Feed{1, 1}, Feed{2, 1}));
}

TEST(Batching, SharedPagesFreeNothing) {
  BatchLimits limits = Limits();
  limits.pages = 4;
  const std::vector<PageId> a{0, 1};
  const std::vector<PageId> b{0, 2};
  const std::vector<PageId> c{0, 3};
  const std::vector<SequenceState> running{{.id = 1, .tokens = 9, .cached = 8, .pages = a},
                                           {.id = 2, .tokens = 8, .cached = 7, .pages = b},
                                           {.id = 3, .tokens = 8, .cached = 7, .pages = c}};
  const BatchPlan plan = PlanBatch({running, {}, kServed, limits});
  EXPECT_THAT(plan.preempted, ElementsAre(3));
  EXPECT_THAT(plan.feeds, ElementsAre(Feed{1, 1}, Feed{2, 1}));
}

TEST(Batching, AHigherPriorityTakesAPlaceButNotTheOldests) {
  BatchLimits limits = Limits();
  limits.sequences = 2;
  const std::vector<PageId> a{0};
  const std::vector<PageId> b{1};
  const std::vector<SequenceState> running{{.id = 1, .tokens = 3, .cached = 2, .pages = a},
                                           {.id = 2, .tokens = 3, .cached = 2, .pages = b}};
  const std::vector<SequenceState> waiting{{.id = 3, .priority = 1, .tokens = 2},
                                           {.id = 4, .priority = 1, .tokens = 2}};
  const BatchPlan plan = PlanBatch({running, waiting, kServed, limits});
  EXPECT_THAT(plan.preempted, ElementsAre(2));
  EXPECT_THAT(plan.admitted, ElementsAre(3));
}

TEST(Batching, APageThatIsBeingComputedIsWaitedFor) {
  std::vector<SequenceState> waiting{{.id = 1, .tokens = 6, .next_page_key = 9},
                                     {.id = 2, .tokens = 6, .next_page_key = 9},
                                     {.id = 3, .tokens = 6, .next_page_key = 8}};
  EXPECT_THAT(PlanBatch({{}, waiting, kServed, Limits()}).admitted, ElementsAre(1, 3));
  waiting[1].priority = 1;  // but not behind a lower priority
  EXPECT_THAT(PlanBatch({{}, waiting, kServed, Limits()}).admitted, ElementsAre(1, 2, 3));
}

// ---- histories

struct Request {
  std::uint64_t id = 0;
  std::int64_t arrives = 0;
  std::int32_t priority = 0;
  std::uint32_t tenant = 0;
  std::vector<Token> prompt;
  std::int64_t answer = 1;
  // As it runs.
  std::vector<Token> tokens;
  std::int64_t cached = 0;
  std::int64_t published = 0;
  std::vector<PageId> pages;
  std::vector<PageId> prefix;  // of the plan
  std::int64_t arrived_at = 0;
  bool runs = false;
  bool over = false;

  std::int64_t missing() const { return static_cast<std::int64_t>(tokens.size()) - cached; }
};

class History {
 public:
  History(BatchLimits limits, std::vector<Request> requests)
      : limits_(limits), pool_(limits.pages, limits.page_size), requests_(std::move(requests)) {}

  std::int64_t preemptions() const { return preemptions_; }

  // Returns false when all are over.
  bool Step() {
    if (std::ranges::all_of(requests_, &Request::over)) return false;
    std::vector<SequenceState> running;
    std::vector<SequenceState> waiting;
    Request* oldest = nullptr;
    for (Request& request : requests_) {
      if (request.over || request.arrives > now_) continue;
      if (oldest == nullptr) oldest = &request;
      if (request.tokens.empty()) {
        request.tokens = request.prompt;
        request.arrived_at = std::reduce(served_.begin(), served_.end());
      }
      if (request.runs) {
        running.push_back(State(request, request.pages, request.cached));
        running.back().next_page_key =
            pool_.NextKey(request.tokens, request.pages, request.published);
      } else {
        PagePool::Prefix prefix = pool_.FindPrefix(request.tokens);
        request.prefix = prefix.pages;
        waiting.push_back(
            State(request, request.prefix,
                  static_cast<std::int64_t>(prefix.pages.size()) * limits_.page_size));
        waiting.back().next_page_key = prefix.next_key;
      }
    }
    const BatchState state{running, waiting, served_, limits_};
    const BatchPlan plan = PlanBatch(state);
    RC_ASSERT(plan == PlanBatch(state));
    CheckBudget(state, plan);
    if (oldest != nullptr) {
      RC_ASSERT(std::ranges::count(plan.feeds, oldest->id, &Feed::id) == 1);
    }
    CheckNeed(state, plan);
    Apply(plan);
    ++now_;
    return true;
  }

 private:
  static SequenceState State(const Request& request, std::span<const PageId> pages,
                             std::int64_t cached) {
    return {.id = request.id,
            .priority = request.priority,
            .tenant = request.tenant,
            .arrived_at = request.arrived_at,
            .tokens = static_cast<std::int64_t>(request.tokens.size()),
            .cached = cached,
            .pages = pages};
  }

  void CheckBudget(const BatchState& state, const BatchPlan& plan) const {
    std::int64_t tokens = 0;
    std::int64_t prefill = 0;
    bool decodes = false;
    for (const Feed& feed : plan.feeds) {
      RC_ASSERT(feed.tokens > 0);
      tokens += feed.tokens;
      const auto of = std::ranges::find(state.running, feed.id, &SequenceState::id);
      const bool is_decode = of != state.running.end() && of->tokens - of->cached == 1;
      decodes = decodes || is_decode;
      prefill += is_decode ? 0 : feed.tokens;
    }
    RC_ASSERT(tokens <= limits_.step_tokens);
    if (decodes) RC_ASSERT(prefill <= limits_.prefill_beside_decode);
    const auto running = state.running.size() - plan.preempted.size() + plan.admitted.size();
    RC_ASSERT(static_cast<std::int64_t>(running) <= limits_.sequences);
  }

  // Where everything fits, nobody leaves; and what the last one to leave would have kept was
  // needed.
  void CheckNeed(const BatchState& state, const BatchPlan& plan) const {
    if (plan.preempted.empty()) return;
    std::int64_t wanted = 0;
    std::size_t texts = 0;
    for (const auto& side : {state.running, state.waiting}) {
      for (const SequenceState& one : side) {
        wanted += (one.tokens + limits_.page_size - 1) / limits_.page_size + 1;
        ++texts;
      }
    }
    RC_ASSERT(wanted > limits_.pages || static_cast<std::int64_t>(texts) > limits_.sequences);
    // Of equal priority: only the oldest and those who decode may push others out.
    const auto priority_of = [](const SequenceState& one) { return one.priority; };
    if (std::ranges::all_of(state.running, [&](auto& s) { return priority_of(s) == 0; }) &&
        std::ranges::all_of(state.waiting, [&](auto& s) { return priority_of(s) == 0; }) &&
        state.running.size() < static_cast<std::size_t>(limits_.sequences)) {
      std::int64_t needed = 0;
      for (const SequenceState& one : state.running) {
        if (one.tokens - one.cached != 1) continue;
        needed += one.cached % limits_.page_size == 0 ? 1 : 0;
      }
      // And a page for the oldest's prompt, with its prefix.
      std::int64_t prefix = 0;
      for (const SequenceState& one : state.waiting) {
        prefix = std::max(prefix, static_cast<std::int64_t>(one.pages.size()));
      }
      RC_ASSERT(needed + 1 + prefix > pool_.available());
    }
  }

  Request& Of(std::uint64_t id) { return *std::ranges::find(requests_, id, &Request::id); }

  void Leave(Request& request) {
    pool_.Release(request.pages);
    request.runs = false;
    request.cached = 0;
    request.published = 0;
  }

  void Apply(const BatchPlan& plan) {
    for (const std::uint64_t id : plan.preempted) {
      RC_ASSERT(Of(id).runs);
      Leave(Of(id));
      ++preemptions_;
    }
    for (const std::uint64_t id : plan.admitted) {
      Request& request = Of(id);
      RC_ASSERT(!request.runs);
      pool_.AcquirePrefix(request.tokens, request.pages);
      RC_ASSERT(request.pages == request.prefix);
      request.runs = true;
      request.published = static_cast<std::int64_t>(request.pages.size());
      request.cached = request.published * limits_.page_size;
    }
    for (const Feed& feed : plan.feeds) {
      Request& request = Of(feed.id);
      RC_ASSERT(request.runs);
      RC_ASSERT(feed.tokens <= request.missing());
      const std::int64_t pages =
          (request.cached + feed.tokens + limits_.page_size - 1) / limits_.page_size;
      RC_ASSERT(pool_.Take(
          std::max<std::int64_t>(0, pages - static_cast<std::int64_t>(request.pages.size())),
          request.pages));
    }
    for (const Feed& feed : plan.feeds) {
      Request& request = Of(feed.id);
      request.cached += feed.tokens;
      served_[request.tenant] += feed.tokens;
      request.published =
          pool_.Publish(std::span(request.tokens).first(static_cast<std::size_t>(request.cached)),
                        request.pages, request.published);
      if (request.missing() > 0) continue;
      if (request.tokens.size() ==
          request.prompt.size() + static_cast<std::size_t>(request.answer)) {
        Leave(request);
        request.over = true;
      } else {
        request.tokens.push_back(static_cast<Token>(request.id));
      }
    }
    RC_ASSERT(pool_.free() + pool_.cached() + pool_.in_use() == limits_.pages);
  }

  BatchLimits limits_;
  PagePool pool_;
  std::vector<Request> requests_;
  std::vector<std::int64_t> served_{0, 0, 0};
  std::int64_t now_ = 0;
  std::int64_t preemptions_ = 0;
};

TEST(Batching, EveryHistoryEndsWithinItsBudgetsAndTheOldestNeverWaits) {
  std::int64_t preemptions = 0;
  rc::check([&] {
    BatchLimits limits;
    limits.page_size = *rc::gen::inRange<std::int64_t>(1, 5);
    limits.pages = *rc::gen::inRange<std::int64_t>(4, 20);
    limits.sequences = *rc::gen::inRange<std::int64_t>(1, 6);
    limits.step_tokens = limits.sequences + *rc::gen::inRange<std::int64_t>(0, 12);
    limits.prefill_beside_decode = *rc::gen::inRange<std::int64_t>(1, 9);
    const std::int64_t longest = limits.pages * limits.page_size;
    const bool equal = *rc::gen::arbitrary<bool>();
    std::vector<Request> requests(*rc::gen::inRange<std::size_t>(1, 14));
    std::int64_t work = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      Request& request = requests[i];
      request.id = i + 1;
      request.arrives = (i == 0 ? 0 : requests[i - 1].arrives) + *rc::gen::inRange(0, 4);
      request.priority = equal ? 0 : *rc::gen::inRange(-1, 2);
      request.tenant = *rc::gen::inRange<std::uint32_t>(0, 3);
      const auto prompt = *rc::gen::inRange<std::int64_t>(1, longest);
      request.prompt.assign(static_cast<std::size_t>(prompt), *rc::gen::inRange<Token>(100, 103));
      request.answer = *rc::gen::inRange<std::int64_t>(1, longest - prompt + 1);
      work += longest;
    }
    History history(limits, std::move(requests));
    // Each step feeds the oldest at least a token, so there are no more than all tokens and pauses.
    std::int64_t steps = 0;
    while (history.Step()) RC_ASSERT(++steps <= work + 100);
    preemptions += history.preemptions();
  });
  EXPECT_GT(preemptions, 0);  // the histories are hard enough
}

TEST(Batching, TenantsGetEqualSharesHoweverManyRequestsTheyHave) {
  BatchLimits limits{
      .pages = 64, .page_size = 4, .sequences = 2, .step_tokens = 8, .prefill_beside_decode = 8};
  std::vector<std::int64_t> served{0, 0};
  // The first has a hundred requests that came first, the second ten.
  std::vector<SequenceState> waiting;
  for (std::uint64_t id = 1; id <= 110; ++id) {
    waiting.push_back({.id = id, .tenant = id <= 100 ? 0U : 1U, .tokens = 4});
  }
  for (int step = 0; step < 10; ++step) {
    const BatchPlan plan = PlanBatch({{}, waiting, served, limits});
    for (const Feed& feed : plan.feeds) {
      const auto at = std::ranges::find(waiting, feed.id, &SequenceState::id);
      served[at->tenant] += feed.tokens;
      waiting.erase(at);
    }
  }
  EXPECT_EQ(served[0], served[1]);
}

}  // namespace
}  // namespace switchyard::policy
