// What the next step of an engine is: which sequences go on by how many tokens, which waiting ones
// begin, and which running ones give their pages back because there are too few. A pure function:
// the same state gives the same plan, and no text depends on it.
//
// The rules, in this order:
// 1. The oldest request of all moves on in every step, whatever its priority: nobody starves.
// 2. Every sequence that decodes gets its token; those who read are not kept waiting by prompts.
// 3. What is left goes to prompts, in chunks: higher priority first, then the tenant that was
//    served least, then the one that is due first. A prompt is due when eight times what is missing
//    of it has been computed since it came. So one that finds its beginning in the cache does not
//    wait for long ones that came just before, and a long one is passed by no more than it is long,
//    eight times. (Earliest deadline first, with a bound on the stretch: Bender et al., "Flow and
//    Stretch Metrics for Scheduling Continuous Job Streams", SODA '98.)
// Pages and places are taken from others only where there are none: by the oldest from anyone, by a
// sequence that decodes from those of lower priority or the same and younger, by a prompt from
// those of lower priority; the victim is the lowest in priority, then the youngest. It recomputes
// later what it lost, or finds it in the prefix cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "policy/page_pool.h"

namespace switchyard::policy {

struct SequenceState {
  std::uint64_t id = 0;  // by arrival, unique
  std::int32_t priority = 0;
  std::uint32_t tenant = 0;
  std::int64_t arrived_at = 0;         // in tokens that had been computed of all texts by then
  std::int64_t tokens = 0;             // of the text by now, more than `cached`
  std::int64_t cached = 0;             // of them lie in `pages`
  std::span<const PageId> pages = {};  // held; of a waiting one, what the prefix cache would give
  // PagePool's, of a prompt that is still computed or waits. A text whose next page is just being
  // computed for another one waits for it.
  std::uint64_t next_page_key = 0;

  std::int64_t uncached() const { return tokens - cached; }
};

struct BatchLimits {
  std::int64_t pages = 0;                  // of the pool; any text alone fits into them
  std::int64_t page_size = 1;              // tokens
  std::int64_t sequences = 1;              // that run at once
  std::int64_t step_tokens = 1;            // at least `sequences`
  std::int64_t prefill_beside_decode = 1;  // tokens of prompts in a step that also decodes, >= 1
};

struct BatchState {
  std::span<const SequenceState> running;
  std::span<const SequenceState> waiting;
  std::span<const std::int64_t> served;  // by tenant, as TenantTurns counts
  BatchLimits limits;
};

struct Feed {
  std::uint64_t id;
  std::int64_t tokens;  // its next ones
  friend bool operator==(const Feed&, const Feed&) = default;
};

// To be done in this order.
struct BatchPlan {
  std::vector<std::uint64_t> preempted;  // give back all pages and wait
  std::vector<std::uint64_t> admitted;   // take their cached prefix and run; each is fed
  std::vector<Feed> feeds;               // each takes the pages that it lacks
  friend bool operator==(const BatchPlan&, const BatchPlan&) = default;
};

BatchPlan PlanBatch(const BatchState& state);

// Whether `a` is considered before `b` for its prompt, by rule 3.
bool GoesFirst(const SequenceState& a, const SequenceState& b,
               std::span<const std::int64_t> served);

}  // namespace switchyard::policy
