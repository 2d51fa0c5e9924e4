// SentencePiece's compiled character map: a size, a double-array trie of that many bytes, and the
// replacements, each ended by a zero byte. The trie's units are those of Darts-clone. As Hugging
// Face's `tokenizers` reads it, a short grapheme is looked up whole, then each character.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "model/internal/tokenizer/normalizer.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// Graphemes of this many bytes and more aren't looked up whole.
constexpr std::size_t kLongGraphemeBytes = 6;

std::uint32_t ReadLittleEndian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

// Whether `point` joins the grapheme before it (Unicode Standard Annex 29, Extend and SpacingMark).
bool ExtendsGrapheme(char32_t point) {
  if (point < 0x300) return false;
  return unicode::IsMark(unicode::CategoryOf(point)) || point == 0x200C || point == 0x200D;
}

bool EndsGrapheme(char32_t point) {
  const unicode::Category category = unicode::CategoryOf(point);
  return category == unicode::Category::kCc || category == unicode::Category::kCf ||
         category == unicode::Category::kZl || category == unicode::Category::kZp;
}

class Precompiled : public Normalizer {
 public:
  Precompiled(std::string charsmap, std::size_t trie_bytes)
      : charsmap_(std::move(charsmap)),
        trie_(std::string_view(charsmap_).substr(4, trie_bytes)),
        replacements_(std::string_view(charsmap_).substr(4 + trie_bytes)) {}

  base::Result<std::string> Apply(std::string text, RegexScratch* /*scratch*/) const override {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = GraphemeEnd(text, i);
      const std::string_view grapheme = std::string_view(text).substr(i, end - i);
      i = end;
      if (grapheme.size() < kLongGraphemeBytes) {
        if (const auto replacement = Find(grapheme)) {
          result.append(*replacement);
          continue;
        }
      }
      for (std::size_t k = 0; k < grapheme.size();) {
        const std::string_view character = grapheme.substr(k, unicode::Utf8Length(grapheme[k]));
        result.append(Find(character).value_or(character));
        k += character.size();
      }
    }
    return result;
  }

 private:
  static std::size_t GraphemeEnd(std::string_view text, std::size_t begin) {
    std::size_t end = begin;
    const char32_t base = unicode::NextPoint(text, &end);
    if (base == '\r' && end < text.size() && text[end] == '\n') return end + 1;
    if (EndsGrapheme(base)) return end;
    while (end < text.size()) {
      std::size_t next = end;
      if (!ExtendsGrapheme(unicode::NextPoint(text, &next))) break;
      end = next;
    }
    return end;
  }

  // The replacement of the shortest key that `text` begins with.
  std::optional<std::string_view> Find(std::string_view text) const {
    const auto unit_at = [&](std::size_t node) {
      return node < trie_.size() / 4 ? ReadLittleEndian(trie_, node * 4) : 0;
    };
    const auto offset_of = [](std::uint32_t unit) -> std::size_t {
      return static_cast<std::size_t>(unit >> 10) << ((unit & (1U << 9)) >> 6);
    };
    std::size_t node = offset_of(unit_at(0));
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) break;
      node ^= byte;
      const std::uint32_t unit = unit_at(node);
      if ((unit & 0x800000FFU) != byte) return std::nullopt;
      node ^= offset_of(unit);
      if (((unit >> 8) & 1) != 0) {
        const std::size_t start = unit_at(node) & 0x7FFFFFFFU;
        // A replacement that began inside a character would break the text.
        const bool is_sound = start < replacements_.size() &&
                              (static_cast<unsigned char>(replacements_[start]) & 0xC0) != 0x80;
        if (!is_sound) return std::nullopt;
        const std::string_view rest = replacements_.substr(start);
        return rest.substr(0, rest.find('\0'));
      }
    }
    return std::nullopt;
  }

  std::string charsmap_;
  std::string_view trie_;
  std::string_view replacements_;
};

// Each replacement is shorter than this, so that a character map can't blow a text up.
constexpr std::size_t kMaxReplacementBytes = 256;

}  // namespace

base::Result<std::unique_ptr<Normalizer>> MakePrecompiled(std::string charsmap) {
  if (charsmap.size() < 4) {
    return Fail(ErrorCode::kInvalidArgument, "a precompiled character map of {} bytes is too short",
                charsmap.size());
  }
  const std::size_t trie_bytes = ReadLittleEndian(charsmap, 0);
  if (trie_bytes > charsmap.size() - 4 || trie_bytes % 4 != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "the precompiled character map's trie has {} bytes, but {} follow its size",
                trie_bytes, charsmap.size() - 4);
  }
  const std::string_view replacements = std::string_view(charsmap).substr(4 + trie_bytes);
  std::size_t length = 0;
  for (const char c : replacements) {
    length = c == '\0' ? 0 : length + 1;
    if (length > kMaxReplacementBytes) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the precompiled character map has a replacement of more than {} bytes",
                  kMaxReplacementBytes);
    }
  }
  if (!unicode::IsValidUtf8(replacements)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the precompiled character map's replacements are not valid UTF-8");
  }
  return std::make_unique<Precompiled>(std::move(charsmap), trie_bytes);
}

}  // namespace switchyard::model::tokenization
