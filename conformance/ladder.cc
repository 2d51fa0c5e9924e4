#include "conformance/ladder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "tensor/dtype.h"

namespace switchyard::conformance {
namespace {

enum Tier : std::size_t {
  kRuntime,
  kLinear,
  kDense,
  kQuantised,
  kExperts,
  kLatentAttention,
  kCapture,
  kTierCount
};

struct TierText {
  const char* name;
  const char* purpose;
};

constexpr std::array<TierText, kTierCount> kTiers = {{
    {"runtime", "memory, queues, events and weights; everything runs on the reference"},
    {"linear only", "matrix products on the chip, everything else on the reference"},
    {"dense models", "Llama, Qwen, Gemma and the like, whole"},
    {"quantised", "the same from quantised weights"},
    {"experts", "mixtures of experts"},
    {"MLA", "multi-head latent attention"},
    {"capture", "recorded work, done again"},
}};

constexpr std::array<std::string_view, 3> kActivations = {"f32", "f16", "bf16"};

// Where a case belongs. A case of a family ("weights", "pages") counts for one member of it, and
// one whole member suffices; an empty activation stands for each of them.
struct TierPlace {
  Tier tier = kRuntime;
  std::string activation = {};
  std::string family = {};
  std::string member = {};
  bool may_skip = false;
};

std::vector<std::string> Split(std::string_view name) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t slash = name.find('/');
    parts.emplace_back(name.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    name.remove_prefix(slash + 1);
  }
}

bool IsQuantisedName(const std::string& name) {
  const auto dtype = tensor::DTypeFromName(name);
  return dtype.has_value() && tensor::IsQuantised(*dtype);
}

TierPlace WithWeights(Tier plain, std::string activation, const std::string& weight) {
  // A product whose result is of another type than its input.
  if (weight.starts_with("to_")) return {plain, std::move(activation), "conversions", weight};
  const bool is_quantised = IsQuantisedName(weight);
  const Tier tier = is_quantised && plain < kQuantised ? kQuantised : plain;
  return {tier, std::move(activation), "weights", weight};
}

// Nothing for a case that no tier asks for.
std::optional<TierPlace> PlaceOf(const Case& one) {
  const std::vector<std::string> parts = Split(one.name);
  const std::string& kind = parts[0];
  if (kind == "interface") {
    // What the interface leaves to the chip.
    // Programs are made of an operation or two, which a chip need not have at this tier.
    const bool is_optional = parts[1] == "ceilings" || parts[1] == "loss" ||
                             parts[1] == "programs" || parts[2] == "maps_memory";
    return TierPlace{.tier = kRuntime, .may_skip = is_optional};
  }
  if (kind == "capture") return TierPlace{.tier = kCapture};
  if (kind == "invariance") {
    if (parts.size() < 4) return TierPlace{.tier = kQuantised};
    const bool is_batch = parts[1] == "batch";
    const std::string activation = is_batch ? parts[2] : "";
    TierPlace place = parts[3] == "linear" ? WithWeights(kLinear, activation, parts[4])
                                           : TierPlace{.tier = kDense, .activation = activation};
    place.may_skip = is_batch;  // a claim that a chip need not make
    return place;
  }
  if (kind == "kv_pages") return TierPlace{.tier = kDense, .family = "pages", .member = parts[1]};
  const std::string& activation = parts[1];
  if (std::ranges::find(kActivations, activation) == kActivations.end()) return {};
  if (kind == "linear") return WithWeights(kLinear, activation, parts[2]);
  if (kind == "embedding") return WithWeights(kDense, activation, parts[2]);
  if (kind == "grouped_linear") return WithWeights(kExperts, activation, parts[2]);
  if (kind == "batched_linear") return WithWeights(kLatentAttention, activation, parts[2]);
  if (kind == "router_top_k" || kind == "combine") return TierPlace{kExperts, activation, "", ""};
  if (kind == "layers") {
    return WithWeights(parts[3] == "experts" ? kExperts : kDense, activation, parts[2]);
  }
  if (kind == "copy" && parts[2].starts_with("to ")) {
    return TierPlace{kDense, activation, "conversions", parts[2]};
  }
  if (kind == "attention" && parts.size() > 3) {
    return TierPlace{parts[3] == "unequal_widths" ? kLatentAttention : kDense, activation, "pages",
                     parts[2].substr(parts[2].find('_') + 1)};
  }
  return TierPlace{kDense, activation, "", ""};
}

// What the cases of one tier and one type of activations came to.
struct Tally {
  std::vector<std::string> failed;
  std::set<std::string> lacking;                                // outside of families
  std::map<std::string, std::map<std::string, bool>> families;  // member: all of it passed

  std::size_t problems() const {
    std::size_t count = failed.size() + lacking.size();
    for (const auto& [family, members] : families) count += Whole(members).empty() ? 1 : 0;
    return count;
  }
  static std::vector<std::string> Whole(const std::map<std::string, bool>& members) {
    std::vector<std::string> whole;
    for (const auto& [name, is_whole] : members) {
      if (is_whole) whole.push_back(name);
    }
    return whole;
  }

  void Add(const CaseResult& result, const TierPlace& place) {
    const Verdict verdict = result.outcome.verdict;
    if (verdict == Verdict::kFail) failed.push_back(result.which->name);
    const bool is_lacking = verdict == Verdict::kSkip && !place.may_skip;
    if (!place.family.empty()) {
      const auto member = families[place.family].try_emplace(place.member, true).first;
      if (verdict == Verdict::kFail || is_lacking) member->second = false;
    } else if (is_lacking) {
      lacking.insert(result.which->row + ": " + result.which->column);
    }
  }
};

// "weights all 13; pages f16"
std::string Members(const Tally& tally) {
  std::vector<std::string> families;
  for (const auto& [family, members] : tally.families) {
    if (family == "conversions") continue;
    const std::vector<std::string> whole = Tally::Whole(members);
    families.push_back(whole.size() == members.size() && whole.size() > 3
                           ? fmt::format("all {} types of {}", whole.size(), family)
                           : fmt::format("{} {}", family, fmt::join(whole, ", ")));
  }
  return fmt::format("{}", fmt::join(families, "; "));
}

std::vector<std::string> Missing(std::string_view activation, const Tally& tally) {
  std::vector<std::string> missing;
  for (const std::string& name : tally.failed) missing.push_back("fails " + name);
  for (const std::string& what : tally.lacking) missing.push_back("lacks " + what);
  for (const auto& [family, members] : tally.families) {
    if (!Tally::Whole(members).empty()) continue;
    std::vector<std::string> names;
    for (const auto& [name, is_whole] : members) names.push_back(name);
    missing.push_back(
        fmt::format("has no {} of {}{} whole", family, fmt::join(names, ", "),
                    activation.empty() ? "" : fmt::format(" with {} activations", activation)));
  }
  return missing;
}

// `standing` are the types of activations that reached the tier below, and then this one: what is
// missing is told for one of them.
Rung Judge(Tier tier, std::span<const CaseResult> results, std::set<std::string>& standing) {
  std::map<std::string, Tally> tallies;  // by activation
  for (const CaseResult& result : results) {
    const std::optional<TierPlace> place = PlaceOf(*result.which);
    if (!place || place->tier != tier) continue;
    if (!place->activation.empty() || tier == kRuntime || tier == kCapture) {
      tallies[place->activation].Add(result, *place);
    } else {
      for (const std::string_view activation : kActivations) {
        tallies[std::string(activation)].Add(result, *place);
      }
    }
  }
  Rung rung{.name = kTiers[tier].name, .purpose = kTiers[tier].purpose};
  std::set<std::string> reached;
  const Tally* nearest = nullptr;
  std::string nearest_activation;
  std::map<std::string, std::vector<std::string>> activations;  // by what they were reached with
  for (const auto& [activation, tally] : tallies) {
    if (tally.problems() == 0) {
      rung.is_reached = true;
      if (!activation.empty()) reached.insert(activation);
      activations[Members(tally)].push_back(activation);
    } else if (standing.empty() || activation.empty() || standing.contains(activation)) {
      if (nearest != nullptr && nearest->problems() <= tally.problems()) continue;
      nearest = &tally;
      nearest_activation = activation;
    }
  }
  for (const auto& [members, names] : activations) {
    if (names.front().empty()) continue;
    rung.reached_with.push_back(fmt::format("activations {}{}{}", fmt::join(names, ", "),
                                            members.empty() ? "" : "; ", members));
  }
  if (rung.is_reached) standing = std::move(reached);
  if (tallies.empty()) rung.missing.push_back("no case of it was run");
  if (!rung.is_reached && nearest != nullptr) {
    rung.missing = Missing(nearest_activation, *nearest);
  }
  return rung;
}

}  // namespace

std::vector<std::string> TierNames() {
  std::vector<std::string> names;
  for (const TierText& tier : kTiers) names.emplace_back(tier.name);
  return names;
}

std::vector<Rung> Climb(std::span<const CaseResult> results) {
  std::vector<Rung> rungs;
  std::set<std::string> standing;
  for (std::size_t tier = 0; tier < kTierCount; ++tier) {
    rungs.push_back(Judge(static_cast<Tier>(tier), results, standing));
  }
  return rungs;
}

std::string DescribeLadder(const std::vector<Rung>& rungs) {
  constexpr std::size_t kMostMissing = 12;
  std::string text = "ladder\n";
  const Rung* next = nullptr;
  for (const Rung& rung : rungs) {
    if (!rung.is_reached && next == nullptr) next = &rung;
    // A tier above one that was not reached stands on nothing.
    const char* state = !rung.is_reached  ? "not reached"
                        : next == nullptr ? "reached"
                                          : "held back";
    text += fmt::format(
        "  {:<13} {:<12} {}\n", rung.name, state,
        rung.is_reached ? fmt::format("{}", fmt::join(rung.reached_with, ", ")) : rung.purpose);
  }
  if (next == nullptr) return text;
  text += fmt::format("missing for '{}':\n", next->name);
  for (std::size_t i = 0; i < std::min(kMostMissing, next->missing.size()); ++i) {
    text += fmt::format("  {}\n", next->missing[i]);
  }
  if (next->missing.size() > kMostMissing) {
    text += fmt::format("  and {} more\n", next->missing.size() - kMostMissing);
  }
  return text;
}

}  // namespace switchyard::conformance
