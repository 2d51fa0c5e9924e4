#include "model/internal/tokenizer/byte_fallback.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace switchyard::model::tokenization {

ByteFallback::ByteFallback(const Vocabulary& vocabulary) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    tokens_[byte] = vocabulary.Find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
}

bool ByteFallback::Spell(std::string_view bytes, std::vector<TokenId>* ids) const {
  const auto token_of = [&](char c) { return tokens_[static_cast<unsigned char>(c)]; };
  if (std::ranges::any_of(bytes, [&](char c) { return token_of(c) < 0; })) return false;
  for (const char c : bytes) ids->push_back(token_of(c));
  return true;
}

std::optional<char> ByteOfName(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || !name.ends_with('>')) return std::nullopt;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(name.data() + 3, name.data() + 5, byte, 16);
  if (error != std::errc() || end != name.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace switchyard::model::tokenization
