#include "grammar/internal/mask_table.h"

#include <algorithm>

namespace switchyard::grammar::internal {
namespace {

// A state that reads so many different bytes lets much of the vocabulary in.
constexpr std::size_t kWideBytes = 32;
// Of one mask: some 50 ms; a mask of a JSON schema takes a hundredth.
constexpr std::uint64_t kMostWork = 4'000'000;

}  // namespace

bool MaskTable::IsWide(StateId state) const {
  std::size_t bytes = 0;
  for (const ByteEdge& edge : automaton_.bytes(state)) bytes += edge.high - edge.low + 1U;
  return bytes >= kWideBytes;
}

void MaskTable::Prepare(StateId state) {
  most_work_ = configurations_.work() + kMostWork;
  if (IsWide(state)) FindStateMask(state);
}

bool MaskTable::Walk(const TokenTrie& trie, std::size_t top, ConfigId config, TokenMask& mask,
                     std::vector<std::uint32_t>* returns) {
  if (config == kDead) return true;
  path_.resize(std::max(path_.size(), trie.depth() + 1));
  path_[trie.node(top).depth] = config;
  for (std::size_t i = top + 1; i < trie.node(top).end;) {
    const TokenTrie::Node& node = trie.node(i);
    const ConfigId next = configurations_.Step(path_[node.depth - 1U], node.byte);
    if (next == kDead) {
      i = node.end;
      continue;
    }
    if (configurations_.work() > most_work_) return false;
    path_[node.depth] = next;
    for (const TokenId token : trie.tokens(i)) mask.Allow(token);
    if (returns != nullptr && configurations_.returns(next) && node.end > i + 1) {
      returns->push_back(static_cast<std::uint32_t>(i));
    }
    ++i;
  }
  return true;
}

const MaskTable::StateMask* MaskTable::FindStateMask(StateId state) {
  const auto known = state_masks_.find(state);
  if (known != state_masks_.end()) return &known->second;
  StateMask made{TokenMask(vocabulary_.size()), {}};
  if (!Walk(vocabulary_.trie(), 0, configurations_.OfState(state), made.allowed, &made.returns)) {
    return nullptr;
  }
  masks_bytes_ += made.allowed.size_bytes() + made.returns.size() * sizeof(std::uint32_t);
  return &state_masks_.emplace(state, std::move(made)).first->second;
}

bool MaskTable::AddThread(const Thread& thread, TokenMask& mask) {
  const TokenTrie& trie = vocabulary_.trie();
  if (!IsWide(thread.state)) {
    return Walk(trie, 0, configurations_.OfThread(thread), mask, nullptr);
  }
  const StateMask* of_state = FindStateMask(thread.state);
  if (of_state == nullptr) return false;
  mask.Add(of_state->allowed);
  if (of_state->returns.empty()) return true;
  const ConfigId after = configurations_.AfterReturn(thread.stack);
  return std::ranges::all_of(of_state->returns, [&](std::uint32_t node) {
    return Walk(trie, node, after, mask, nullptr);
  });
}

base::Result<std::shared_ptr<const TokenMask>> MaskTable::Mask(ConfigId config) {
  if (config < masks_.size() && masks_[config]) return masks_[config];
  most_work_ = configurations_.work() + kMostWork;
  const auto mask = std::make_shared<TokenMask>(vocabulary_.size());
  const auto span = configurations_.threads(config);
  const std::vector<Thread> threads(span.begin(), span.end());
  // Near the bounds on what a text may be, a state's mask could allow what the whole does not.
  const bool is_plain =
      threads.size() <= kMostThreads / 16 && std::ranges::all_of(threads, [&](const Thread& thread) {
        return configurations_.depth(thread.stack) <= kMostDepth / 2;
      });
  const bool is_wide =
      std::ranges::any_of(threads, [this](const Thread& thread) { return IsWide(thread.state); });
  const bool is_done =
      is_plain && is_wide
          ? std::ranges::all_of(threads, [&](const Thread& t) { return AddThread(t, *mask); })
          : Walk(vocabulary_.trie(), 0, config, *mask, nullptr);
  if (!is_done) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the grammar can be read in too many ways here: write it so that what comes "
                      "next decides earlier which rule is meant");
  }
  masks_.resize(std::max(masks_.size(), configurations_.size()));
  masks_[config] = mask;
  masks_bytes_ += mask->size_bytes();
  return mask;
}

base::Result<std::shared_ptr<const TokenMask>> MaskTable::StartMask() {
  if (vocabulary_.start_trie() == nullptr) return Mask(configurations_.Start());
  if (start_mask_) return start_mask_;
  most_work_ = configurations_.work() + kMostWork;
  const auto mask = std::make_shared<TokenMask>(vocabulary_.size());
  if (!Walk(*vocabulary_.start_trie(), 0, configurations_.Start(), *mask, nullptr)) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the grammar can be read in too many ways at its beginning");
  }
  start_mask_ = mask;
  masks_bytes_ += mask->size_bytes();
  return mask;
}

}  // namespace switchyard::grammar::internal
