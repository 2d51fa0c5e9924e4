// Which member has probably cached the beginning of a text: beginnings that were sent to it lately,
// by their digests. Bounded: the oldest are forgotten. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::policy {

inline constexpr std::size_t kPrefixStep = 512;  // bytes; shorter beginnings are not worth a detour

// A digest of each beginning of `text` that is a whole number of steps long, up to 64 KiB.
std::vector<std::uint64_t> PrefixDigests(std::string_view text);

class PrefixIndex {
 public:
  explicit PrefixIndex(std::size_t most) : most_(most) {}

  void Insert(std::span<const std::uint64_t> digests, std::uint64_t member);
  // How many steps of the text the member has seen.
  std::size_t StepsAt(std::span<const std::uint64_t> digests, std::uint64_t member) const;

 private:
  const std::size_t most_;  // beginnings, of all members together
  // A beginning that several members have is known of the last few only.
  static constexpr std::size_t kMembers = 4;
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> members_;  // by digest
  std::deque<std::uint64_t> by_age_;                                       // digests
};

}  // namespace switchyard::policy
