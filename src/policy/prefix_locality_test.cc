// Members as they are, simulated: each computes prompts in the order in which they came, a chunk in
// every step, while the answers that run get a token each. Whether remembering beginnings pays, and
// whether it ever makes anything slower. Times are the simulation's.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "policy/prefix_index.h"
#include "policy/routing.h"

namespace switchyard::policy {
namespace {

constexpr double kStep_s = 0.01;  // with nothing to read
constexpr double kRead_s = 0.001;  // a token of a prompt
constexpr std::int64_t kChunk = 128;
constexpr std::size_t kTokenBytes = 4;

struct Asked {
  std::string text;
  std::int64_t answer = 0;
};

struct Outcome {
  double mean_ttft_s = 0;
  double all_s = 0;
  Outcome& operator+=(const Outcome& other) {
    mean_ttft_s += other.mean_ttft_s;
    all_s += other.all_s;
    return *this;
  }
};

std::int64_t Tokens(std::size_t bytes) { return static_cast<std::int64_t>(bytes / kTokenBytes); }

class Machine {
 public:
  struct Job {
    double asked_s = 0;
    std::int64_t unread = 0;
    std::int64_t left = 0;
  };

  void Take(const Asked& asked, double now_s) {
    const auto digests = PrefixDigests(asked.text);
    std::size_t steps = 0;
    while (steps < digests.size() && cached_.contains(digests[steps])) ++steps;
    cached_.insert(digests.begin(), digests.end());
    // The last token is always computed.
    const std::int64_t unread = Tokens(asked.text.size() - steps * kPrefixStep);
    jobs_.push_back({now_s, std::max<std::int64_t>(unread, 1), asked.answer});
    if (jobs_.size() == 1) Plan(now_s);
  }
  bool is_idle() const { return jobs_.empty(); }
  double step_ends_s() const { return step_ends_s_; }
  // Ends its step; how many answers ended. First tokens are added to `ttft_s`.
  std::size_t End(std::vector<double>& ttft_s) {
    for (Job& job : jobs_) {
      if (job.unread == 0) {
        --job.left;
        continue;
      }
      job.unread -= chunk_;
      if (job.unread == 0) {
        ttft_s.push_back(step_ends_s_ - job.asked_s);
        --job.left;
      }
      break;  // those behind it wait
    }
    const std::size_t ended = std::erase_if(jobs_, [](const Job& job) { return job.left <= 0; });
    if (!jobs_.empty()) Plan(step_ends_s_);
    return ended;
  }
  Load load() const {
    Load load{.in_flight = static_cast<std::int64_t>(jobs_.size()),
              .prefill_tokens_s = 1 / kRead_s,
              .decode_tokens_s = 8 / (kStep_s + kRead_s * kChunk / 2)};
    for (const Job& job : jobs_) load.prefill_tokens += job.unread;
    return load;
  }

 private:
  void Plan(double now_s) {
    const auto reading =
        std::ranges::find_if(jobs_, [](const Job& job) { return job.unread > 0; });
    chunk_ = reading == jobs_.end() ? 0 : std::min(kChunk, reading->unread);
    step_ends_s_ = now_s + kStep_s + kRead_s * static_cast<double>(chunk_);
  }

  std::deque<Job> jobs_;
  std::unordered_set<std::uint64_t> cached_;
  std::int64_t chunk_ = 0;
  double step_ends_s_ = 0;
};

// So many streams, each asking for the next as soon as its answer has ended.
Outcome Serve(const std::vector<Asked>& requests, std::size_t members, std::size_t streams,
              bool is_remembering) {
  std::vector<Machine> machines(members);
  std::vector<std::uint64_t> numbers(members);
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{1});
  PrefixIndex index(100'000);
  const Place place;
  std::vector<double> ttft_s;
  std::size_t next = 0;
  double now_s = 0;
  const auto send = [&] {
    const Asked& asked = requests[next++];
    const auto digests =
        is_remembering ? PrefixDigests(asked.text) : std::vector<std::uint64_t>();
    const auto cached = index.Find(digests, numbers, now_s);
    std::vector<RouteCandidate> candidates;
    for (std::size_t i = 0; i < members; ++i) {
      const double own = cached[i].own;
      candidates.push_back({.member = "m",
                            .place = &place,
                            .serves_model = true,
                            .cached_tokens = Tokens(cached[i].all * kPrefixStep),
                            .load = machines[i].load()});
      const double shared = static_cast<double>(cached[i].all) - own;
      candidates.back().shared_tokens =
          static_cast<std::int64_t>(shared * static_cast<double>(Tokens(kPrefixStep)));
    }
    const RouteDecision decision = Route({.model = "m",
                                          .prompt_tokens = Tokens(asked.text.size()),
                                          .max_tokens = asked.answer},
                                         candidates, {});
    const std::size_t chosen = decision.ranked[0];
    index.Insert(digests, numbers[chosen], now_s);
    machines[chosen].Take(asked, now_s);
  };
  while (next < std::min(streams, requests.size())) send();
  while (true) {
    Machine* first = nullptr;
    for (Machine& machine : machines) {
      if (machine.is_idle()) continue;
      if (first == nullptr || machine.step_ends_s() < first->step_ends_s()) first = &machine;
    }
    if (first == nullptr) break;
    now_s = first->step_ends_s();
    for (std::size_t ended = first->End(ttft_s); ended > 0 && next < requests.size(); --ended) {
      send();
    }
  }
  return {.mean_ttft_s = std::accumulate(ttft_s.begin(), ttft_s.end(), 0.0) /
                         static_cast<double>(ttft_s.size()),
          .all_s = now_s};
}

class Texts {
 public:
  explicit Texts(unsigned seed) : random_(seed) {}

  std::size_t Between(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random_);
  }
  std::string Piece(std::size_t low_tokens, std::size_t high_tokens) {
    std::string text(Between(low_tokens, high_tokens) * kTokenBytes, ' ');
    for (char& c : text) c = static_cast<char>(Between('a', 'z'));
    return text;
  }
  std::int64_t Answer() { return static_cast<std::int64_t>(Between(16, 48)); }

  // Each turn repeats what was said before; the next turn of one comes after that of all others.
  std::vector<Asked> Conversations(std::size_t count, std::size_t turns) {
    std::vector<std::string> said;
    const std::vector<std::string> systems{Piece(256, 256), Piece(256, 256), Piece(256, 256)};
    for (std::size_t i = 0; i < count; ++i) said.push_back(systems[i % systems.size()]);
    std::vector<Asked> requests;
    for (std::size_t turn = 0; turn < turns; ++turn) {
      for (std::string& one : said) {
        one += Piece(64, 256);
        requests.push_back({one, Answer()});
      }
    }
    return requests;
  }
  // One in so many begins with the same text.
  std::vector<Asked> Beginning(std::size_t count, std::size_t tokens, std::size_t one_in) {
    const std::string same = Piece(tokens, tokens);
    std::vector<Asked> requests;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string own = i % one_in == 0 ? same : Piece(tokens, tokens);
      requests.push_back({own + Piece(16, 48), Answer()});
    }
    return requests;
  }

 private:
  std::mt19937 random_;
};

struct FleetSize {
  std::size_t members;
  std::size_t streams;
};
constexpr FleetSize kFleets[] = {{2, 2}, {2, 4}, {2, 8}, {2, 32}, {4, 16}, {8, 64}};

TEST(PrefixLocality, ConversationsAreAnsweredSooner) {
  for (const auto& [members, streams] : kFleets) {
    Outcome with;
    Outcome without;
    for (unsigned seed = 1; seed <= 5; ++seed) {
      const auto requests = Texts(seed).Conversations(3 * streams + 1, 8);
      with += Serve(requests, members, streams, true);
      without += Serve(requests, members, streams, false);
    }
    EXPECT_LT(with.mean_ttft_s, 0.93 * without.mean_ttft_s) << members << " " << streams;
    EXPECT_LT(with.all_s, 0.95 * without.all_s) << members << " " << streams;
  }
}

// A beginning of which affinity alone would make one member's work.
TEST(PrefixLocality, WhatAllBeginWithIsNoSlower) {
  for (const auto& [members, streams] : kFleets) {
    for (const std::size_t tokens : {512U, 4096U}) {
      for (const std::size_t one_in : {1U, 2U, 4U, 100'000U}) {
        const auto requests = Texts(1).Beginning(20 * streams, tokens, one_in);
        const Outcome with = Serve(requests, members, streams, true);
        const Outcome without = Serve(requests, members, streams, false);
        const auto what = testing::Message() << members << " members, " << streams << " streams, "
                                             << tokens << " tokens, one in " << one_in;
        EXPECT_LE(with.mean_ttft_s, 1.03 * without.mean_ttft_s) << what;
        EXPECT_LE(with.all_s, 1.03 * without.all_s) << what;
      }
    }
  }
}

}  // namespace
}  // namespace switchyard::policy
