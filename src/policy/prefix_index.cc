#include "policy/prefix_index.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace switchyard::policy {
namespace {

constexpr std::size_t kMostSteps = 128;
// 2^64 over the golden ratio: multiplying by it spreads the bits that differ.
constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;

// How long a request counts for how often a beginning is asked for.
constexpr double kSoon = 10;  // s

double Left(double passed_s) { return std::exp(-std::max(0.0, passed_s) / kSoon); }

std::uint64_t Mix(std::uint64_t digest, std::uint64_t word) {
  digest = (digest ^ word) * kSpread;
  return digest ^ (digest >> 32);
}

}  // namespace

std::vector<std::uint64_t> PrefixDigests(std::string_view text) {
  std::vector<std::uint64_t> digests;
  const std::size_t steps = std::min(text.size() / kPrefixStep, kMostSteps);
  digests.reserve(steps);
  std::uint64_t digest = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < kPrefixStep; i += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + step * kPrefixStep + i, sizeof word);
      digest = Mix(digest, word);
    }
    digests.push_back(digest);
  }
  return digests;
}

void PrefixIndex::Insert(std::span<const std::uint64_t> digests, std::uint64_t member,
                         double now_s) {
  for (const std::uint64_t digest : digests) {
    auto [entry, is_new] = beginnings_.try_emplace(digest);
    Beginning& beginning = entry->second;
    if (is_new) by_age_.push_back(digest);
    beginning.requests = beginning.requests * Left(now_s - beginning.at_s) + 1;
    beginning.at_s = now_s;
    std::vector<std::uint64_t>& members = beginning.members;
    std::erase(members, member);
    if (members.size() == kMembers) members.erase(members.begin());
    members.push_back(member);
  }
  while (by_age_.size() > most_) {
    beginnings_.erase(by_age_.front());
    by_age_.pop_front();
  }
}

std::vector<CachedSteps> PrefixIndex::Find(std::span<const std::uint64_t> digests,
                                           std::span<const std::uint64_t> members,
                                           double now_s) const {
  std::vector<CachedSteps> found(members.size());
  double own = 0;
  for (std::size_t step = 0; step < digests.size(); ++step) {
    const auto entry = beginnings_.find(digests[step]);
    if (entry == beginnings_.end()) {
      own += 1;
      continue;
    }
    const Beginning& beginning = entry->second;
    own += 1 / std::max(1.0, beginning.requests * Left(now_s - beginning.at_s));
    for (std::size_t i = 0; i < members.size(); ++i) {
      // Who has a longer beginning has the shorter ones too, though more members may have those
      // than are remembered.
      const bool has_it = std::ranges::find(beginning.members, members[i]) != beginning.members.end();
      if (has_it) found[i] = {.all = step + 1, .own = own};
    }
  }
  return found;
}

}  // namespace switchyard::policy
