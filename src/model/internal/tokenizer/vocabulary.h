// The tokens of a tokenizer: names to ids and back. Ids may have holes. Immutable once filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace switchyard::model::tokenization {

using TokenId = std::int32_t;

class Vocabulary {
 public:
  // Far above any published vocabulary; a hostile id must not size an allocation.
  static constexpr std::int64_t kMaxTokens = std::int64_t{1} << 22;
  static constexpr std::size_t kMaxTokenBytes = 2048;

  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  void Reserve(std::size_t tokens);

  // Refuses ids out of range, ids that another name has, and over-long or broken names. A name may
  // be added again under the id that it has. `allow_alias` lets a name that already has an id name
  // a second one too; Find keeps giving the first.
  base::Status Add(std::string_view name, std::int64_t id, bool allow_alias = false);

  std::optional<TokenId> Find(std::string_view name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  bool Contains(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < places_.size() &&
           places_[static_cast<std::size_t>(id)].offset != kNowhere;
  }
  // Empty for an id that no token has.
  std::string_view Name(TokenId id) const {
    return Contains(id) ? Text(places_[static_cast<std::size_t>(id)]) : std::string_view();
  }
  // One more than the highest id.
  std::int32_t size() const { return static_cast<std::int32_t>(places_.size()); }

 private:
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  struct Place {
    std::uint32_t offset = kNowhere;  // in blocks_
    std::uint32_t length = 0;
    std::uint32_t block = 0;
  };

  std::string_view Text(Place place) const {
    return std::string_view(blocks_[place.block]).substr(place.offset, place.length);
  }

  std::vector<std::string> blocks_;  // of fixed capacity, so that the keys of ids_ stay valid
  std::vector<Place> places_;        // by id
  std::unordered_map<std::string_view, TokenId> ids_;
};

}  // namespace switchyard::model::tokenization
