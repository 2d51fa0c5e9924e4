// Which member has probably cached the beginning of a text: beginnings that were sent to it lately,
// by their digests. Bounded: the oldest are forgotten. Times are in seconds of a clock that does not
// go back. One owner, one thread.
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

// What a member has of a text, in steps.
struct CachedSteps {
  std::size_t all = 0;
  // A step that n requests of the last seconds began with counts for one n-th here: so many more
  // will come about as soon, so that computing it once more elsewhere serves all of those that then
  // go there. What one conversation alone begins with counts in full.
  double own = 0;
};

class PrefixIndex {
 public:
  explicit PrefixIndex(std::size_t most) : most_(most) {}

  // A text was sent to the member.
  void Insert(std::span<const std::uint64_t> digests, std::uint64_t member, double now_s);
  // What each of the members has of the text.
  std::vector<CachedSteps> Find(std::span<const std::uint64_t> digests,
                                std::span<const std::uint64_t> members, double now_s) const;

 private:
  struct Beginning {
    std::vector<std::uint64_t> members;  // the latest last
    double requests = 0;                 // until `at_s`; falling with time
    double at_s = 0;
  };
  const std::size_t most_;  // beginnings, of all members together
  // A beginning that several members have is known of the last few only.
  static constexpr std::size_t kMembers = 4;
  std::unordered_map<std::uint64_t, Beginning> beginnings_;  // by digest
  std::deque<std::uint64_t> by_age_;                         // digests
};

}  // namespace switchyard::policy
