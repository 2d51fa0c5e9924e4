#include "policy/prefix_index.h"

#include <algorithm>
#include <cstring>

namespace switchyard::policy {
namespace {

constexpr std::size_t kMostSteps = 128;
// 2^64 over the golden ratio: multiplying by it spreads the bits that differ.
constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;

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

void PrefixIndex::Insert(std::span<const std::uint64_t> digests, std::uint64_t member) {
  for (const std::uint64_t digest : digests) {
    auto [entry, is_new] = members_.try_emplace(digest);
    std::vector<std::uint64_t>& members = entry->second;
    if (is_new) by_age_.push_back(digest);
    std::erase(members, member);
    if (members.size() == kMembers) members.erase(members.begin());
    members.push_back(member);
  }
  while (by_age_.size() > most_) {
    members_.erase(by_age_.front());
    by_age_.pop_front();
  }
}

std::size_t PrefixIndex::StepsAt(std::span<const std::uint64_t> digests,
                                 std::uint64_t member) const {
  // A longer beginning is forgotten no sooner than a shorter one, so the longest tells.
  for (std::size_t steps = digests.size(); steps > 0; --steps) {
    const auto entry = members_.find(digests[steps - 1]);
    if (entry == members_.end()) continue;
    if (std::ranges::find(entry->second, member) != entry->second.end()) return steps;
  }
  return 0;
}

}  // namespace switchyard::policy
