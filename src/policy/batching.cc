#include "policy/batching.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "policy/page_ledger.h"

namespace switchyard::policy {
namespace {

constexpr std::int64_t kStretch = 8;

std::int64_t DueAt(const SequenceState& state) {
  return state.arrived_at + kStretch * state.uncached();
}

struct Entry {
  const SequenceState* state;
  bool runs = false;
  bool was_running = false;
  bool settled = false;  // fed, or nothing can be done for it in this step
  std::int64_t fed = 0;  // tokens
  std::int64_t new_pages = 0;

  std::int64_t uncached() const { return state->uncached(); }
  bool decodes() const { return was_running && uncached() == 1; }
};

class Planner {
 public:
  explicit Planner(const BatchState& state)
      : limits_(state.limits),
        served_(state.served.begin(), state.served.end()),
        ledger_(state.limits.pages),
        tokens_left_(state.limits.step_tokens) {
    for (const SequenceState& sequence : state.running) {
      entries_.push_back({&sequence, true, true});
      ledger_.Hold(sequence.pages);
      ++running_;
    }
    for (const SequenceState& sequence : state.waiting) entries_.push_back({&sequence});
    for (const Entry& entry : entries_) oldest_ = std::min(oldest_, entry.state->id);
    std::ranges::sort(entries_, [&](const Entry& a, const Entry& b) { return Keep(a) < Keep(b); });
  }

  BatchPlan Plan() {
    const bool anyone_decodes = std::ranges::any_of(entries_, &Entry::decodes);
    prefill_left_ = anyone_decodes ? std::min(limits_.prefill_beside_decode, limits_.step_tokens)
                                   : limits_.step_tokens;
    if (!entries_.empty()) FeedOldest(entries_.front());
    for (Entry& entry : entries_) {
      if (entry.runs && !entry.settled && entry.decodes()) FeedDecode(entry);
    }
    NoteComputed();
    while (FeedPrompt()) {
    }
    return Written();
  }

 private:
  // Who keeps its pages: the first, longest.
  std::tuple<bool, std::int64_t, std::uint64_t> Keep(const Entry& entry) const {
    return {entry.state->id != oldest_, -std::int64_t{entry.state->priority}, entry.state->id};
  }

  std::int64_t PagesFor(std::int64_t tokens) const {
    return (tokens + limits_.page_size - 1) / limits_.page_size;
  }
  // Beyond those that `entry` holds, or would be given.
  std::int64_t NewPages(const Entry& entry, std::int64_t tokens) const {
    const auto held = static_cast<std::int64_t>(entry.state->pages.size());
    return std::max<std::int64_t>(0, PagesFor(entry.state->cached + tokens) - held);
  }
  // How many of `wanted` tokens fit into its own pages and `available` more.
  std::int64_t TokensInto(const Entry& entry, std::int64_t available, std::int64_t wanted) const {
    const auto pages = static_cast<std::int64_t>(entry.state->pages.size()) + available;
    return std::clamp<std::int64_t>(pages * limits_.page_size - entry.state->cached, 0, wanted);
  }

  void Preempt(Entry& victim) {
    ledger_.Drop(victim.state->pages);
    ledger_.Take(-victim.new_pages);
    tokens_left_ += victim.fed;
    if (!victim.decodes()) prefill_left_ += victim.fed;
    victim.runs = false;
    victim.settled = true;
    victim.fed = 0;
    victim.new_pages = 0;
    --running_;
  }

  // Makes `pages` available and, if it is not running, a place for `entry`, at the cost of those
  // that `may_lose` says; does nothing and returns false if that is not enough.
  template <typename MayLose>
  bool MakeRoom(const Entry& entry, std::int64_t pages, const MayLose& may_lose) {
    const auto enough = [&](const PageLedger& ledger, std::int64_t running) {
      const std::int64_t idle = entry.runs ? 0 : ledger.Idle(entry.state->pages);
      return ledger.available() >= pages + idle && (entry.runs || running < limits_.sequences);
    };
    if (enough(ledger_, running_)) return true;
    PageLedger ledger = ledger_;
    std::int64_t running = running_;
    std::vector<Entry*> victims;
    for (auto at = entries_.rbegin(); at != entries_.rend() && !enough(ledger, running); ++at) {
      if (&*at == &entry || !at->runs || !at->was_running || !may_lose(*at)) continue;
      ledger.Drop(at->state->pages);
      ledger.Take(-at->new_pages);
      --running;
      victims.push_back(&*at);
    }
    if (!enough(ledger, running)) return false;
    for (Entry* victim : victims) Preempt(*victim);
    return true;
  }

  void Admit(Entry& entry) {
    ledger_.Hold(entry.state->pages);
    entry.runs = true;
    ++running_;
  }

  void Give(Entry& entry, std::int64_t tokens) {
    entry.new_pages = NewPages(entry, tokens);
    ledger_.Take(entry.new_pages);
    entry.fed = tokens;
    entry.settled = true;
    tokens_left_ -= tokens;
    if (!entry.decodes()) prefill_left_ -= tokens;
    served_[entry.state->tenant] += tokens;
  }

  void FeedOldest(Entry& entry) {
    const auto anyone = [](const Entry&) { return true; };
    // One token's room is what it is owed; more only if nobody has to leave for it.
    if (!MakeRoom(entry, NewPages(entry, 1), anyone)) return;  // it can't fit: not our promise
    if (!entry.runs) Admit(entry);
    // Everybody who decodes keeps a token of the step, and the page that it may need for it.
    std::int64_t decoding = 0;
    std::int64_t pages_to_decode = 0;
    for (const Entry& other : entries_) {
      if (&other == &entry || !other.runs || !other.decodes()) continue;
      ++decoding;
      pages_to_decode += NewPages(other, 1);
    }
    const std::int64_t most =
        std::max<std::int64_t>(1, std::min(prefill_left_, tokens_left_ - decoding));
    const std::int64_t pages = std::max(NewPages(entry, 1), ledger_.available() - pages_to_decode);
    Give(entry, TokensInto(entry, pages, std::min(entry.uncached(), most)));
  }

  void FeedDecode(Entry& entry) {
    if (tokens_left_ == 0) return;
    const auto lower = [&](const Entry& other) { return Keep(entry) < Keep(other); };
    if (MakeRoom(entry, NewPages(entry, 1), lower)) Give(entry, 1);
  }

  // The next pages of prompts that are being computed already.
  void NoteComputed() {
    for (const Entry& entry : entries_) {
      if (entry.runs && entry.uncached() > 1) Note(entry);
    }
  }
  void Note(const Entry& entry) {
    if (entry.state->next_page_key == 0) return;
    const auto [at, is_new] =
        computed_.try_emplace(entry.state->next_page_key, entry.state->priority);
    if (!is_new) at->second = std::max(at->second, entry.state->priority);
  }
  // Not behind one of lower priority, which may take long.
  bool IsComputed(const Entry& entry) const {
    const auto found = computed_.find(entry.state->next_page_key);
    return entry.state->next_page_key != 0 && found != computed_.end() &&
           found->second >= entry.state->priority;
  }

  // Feeds the prompt whose turn it is; false if there is none or nothing to give.
  bool FeedPrompt() {
    if (std::min(tokens_left_, prefill_left_) <= 0) return false;
    Entry* next = nullptr;
    for (Entry& entry : entries_) {
      if (entry.settled || entry.decodes() || (!entry.runs && !admitting_)) continue;
      if (next == nullptr || GoesFirst(*entry.state, *next->state, served_)) next = &entry;
    }
    if (next == nullptr) return false;
    if (next->runs) {
      ContinuePrompt(*next);
    } else {
      BeginPrompt(*next);
    }
    return true;
  }

  std::int64_t Chunk(const Entry& entry) const {
    return std::min({entry.uncached(), tokens_left_, prefill_left_});
  }

  auto LowerThan(const Entry& entry) const {
    return [priority = entry.state->priority, oldest = oldest_](const Entry& other) {
      return other.state->priority < priority && other.state->id != oldest;
    };
  }

  void ContinuePrompt(Entry& entry) {
    const std::int64_t wanted = Chunk(entry);
    std::int64_t fits = TokensInto(entry, ledger_.available(), wanted);
    if (fits == 0 && MakeRoom(entry, NewPages(entry, 1), LowerThan(entry))) {
      fits = TokensInto(entry, ledger_.available(), Chunk(entry));
    }
    entry.settled = true;
    if (fits > 0) Give(entry, fits);
  }

  void BeginPrompt(Entry& entry) {
    if (IsComputed(entry)) {
      entry.settled = true;
      return;
    }
    // There must be room for the whole text, for what the running prompts still need, and for a
    // page more for each running sequence, so that none is begun only to be thrown out. Those who
    // would give way to this one don't count.
    const auto lower = LowerThan(entry);
    std::int64_t pages = NewPages(entry, entry.uncached());
    for (const Entry& other : entries_) {
      if (!other.runs || lower(other)) continue;
      pages += NewPages(other, other.uncached()) - other.new_pages + 1;
    }
    if (!MakeRoom(entry, pages, lower)) {
      admitting_ = false;  // nobody else begins: the small would starve the large
      return;
    }
    Admit(entry);
    Note(entry);
    Give(entry, Chunk(entry));
  }

  BatchPlan Written() {
    std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.state->id; });
    BatchPlan plan;
    for (const Entry& entry : entries_) {
      if (entry.was_running && !entry.runs) plan.preempted.push_back(entry.state->id);
      if (!entry.was_running && entry.runs) plan.admitted.push_back(entry.state->id);
      if (entry.fed > 0) plan.feeds.push_back({entry.state->id, entry.fed});
    }
    return plan;
  }

  BatchLimits limits_;
  std::vector<std::int64_t> served_;
  PageLedger ledger_;
  std::int64_t tokens_left_;
  std::int64_t prefill_left_ = 0;
  std::vector<Entry> entries_;  // in the order of Keep
  std::uint64_t oldest_ = std::numeric_limits<std::uint64_t>::max();
  std::int64_t running_ = 0;
  bool admitting_ = true;
  std::unordered_map<std::uint64_t, std::int32_t> computed_;  // page key: highest priority
};

}  // namespace

bool GoesFirst(const SequenceState& a, const SequenceState& b,
               std::span<const std::int64_t> served) {
  return std::tuple(-std::int64_t{a.priority}, served[a.tenant], DueAt(a), a.id) <
         std::tuple(-std::int64_t{b.priority}, served[b.tenant], DueAt(b), b.id);
}

BatchPlan PlanBatch(const BatchState& state) { return Planner(state).Plan(); }

}  // namespace switchyard::policy
