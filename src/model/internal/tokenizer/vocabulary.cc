#include "model/internal/tokenizer/vocabulary.h"

#include <algorithm>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::size_t kBlockBytes = std::size_t{1} << 18;

}  // namespace

void Vocabulary::Reserve(std::size_t tokens) {
  const std::size_t bounded = std::min(tokens, static_cast<std::size_t>(kMaxTokens));
  places_.reserve(bounded);
  ids_.reserve(bounded);
}

base::Status Vocabulary::Add(std::string_view name, std::int64_t id, bool allow_alias) {
  if (id < 0 || id >= kMaxTokens) {
    return Fail(ErrorCode::kInvalidArgument, "token id {} is outside 0 to {}", id, kMaxTokens - 1);
  }
  if (name.size() > kMaxTokenBytes) {
    return Fail(ErrorCode::kInvalidArgument, "token {} has {} bytes; at most {} are accepted", id,
                name.size(), kMaxTokenBytes);
  }
  if (!unicode::IsValidUtf8(name)) {
    return Fail(ErrorCode::kInvalidArgument, "the name of token {} is not valid UTF-8", id);
  }
  const auto token = static_cast<TokenId>(id);
  const auto known = ids_.find(name);
  if (known != ids_.end() && known->second == token) return {};
  if (known != ids_.end() && !allow_alias) {
    return Fail(ErrorCode::kInvalidArgument, "the token '{}' has two ids, {} and {}", name,
                known->second, id);
  }
  if (Contains(token)) {
    return Fail(ErrorCode::kInvalidArgument, "the id {} has two tokens, '{}' and '{}'", id,
                Name(token), name);
  }
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < name.size()) {
    blocks_.emplace_back();
    blocks_.back().reserve(std::max(kBlockBytes, name.size()));
  }
  const auto index = static_cast<std::size_t>(id);
  if (index >= places_.size()) places_.resize(index + 1);
  places_[index] = {static_cast<std::uint32_t>(blocks_.back().size()),
                    static_cast<std::uint32_t>(name.size()),
                    static_cast<std::uint32_t>(blocks_.size() - 1)};
  blocks_.back().append(name);
  ids_.try_emplace(Text(places_[index]), token);
  return {};
}

}  // namespace switchyard::model::tokenization
