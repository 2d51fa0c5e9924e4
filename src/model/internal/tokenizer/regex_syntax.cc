#include "model/internal/tokenizer/regex_syntax.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// The insides of character classes. White_Space is spelled out because PCRE2's \s has U+180E too,
// and
// \w because PCRE2's leaves out marks and has every number. (Oniguruma's doc/RE, "Unicode".)
constexpr std::string_view kSpaces =
    "\\t-\\r "
    "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
constexpr std::string_view kWords =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
    "\\x{1F170}-\\x{1F189}";
constexpr std::string_view kHexDigits = "0-9A-Fa-f";

constexpr std::array<std::string_view, 38> kCategoryNames = {
    "Any", "C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "L&", "Ll", "Lm", "Lo", "Lt",
    "Lu",  "M",  "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe",
    "Pf",  "Pi", "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zs"};

class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : pattern_(pattern) {}

  base::Result<std::string> Run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        atom_start_ = out_.size();
        SWITCHYARD_RETURN_IF_ERROR(Escape(/*in_class=*/false));
      } else if (c == '[') {
        atom_start_ = out_.size();
        SWITCHYARD_RETURN_IF_ERROR(CharacterClass());
      } else if (c == '(') {
        SWITCHYARD_RETURN_IF_ERROR(OpenGroup());
      } else if (c == ')') {
        if (!group_starts_.empty()) {
          atom_start_ = group_starts_.back();
          group_starts_.pop_back();
        }
        Copy(1);
      } else if (c == '{' && CopyInterval()) {
        // To Ruby "x{1,3}+" is a repeated repetition, to PCRE2 a possessive one.
        if (at_ < pattern_.size() && pattern_[at_] == '+') {
          out_.insert(atom_start_, "(?:");
          out_.push_back(')');
        }
      } else {
        if (c != '*' && c != '+' && c != '?') atom_start_ = out_.size();
        CopyCharacter();
      }
    }
    return std::move(out_);
  }

 private:
  void Copy(std::size_t count) {
    out_.append(pattern_.substr(at_, count));
    at_ += count;
  }

  void CopyCharacter() {
    do {
      Copy(1);
    } while (at_ < pattern_.size() && (static_cast<unsigned char>(pattern_[at_]) & 0xC0) == 0x80);
  }

  bool CopyInterval() {
    std::size_t end = at_ + 1;
    while (end < pattern_.size() &&
           (pattern_[end] == ',' || (pattern_[end] >= '0' && pattern_[end] <= '9'))) {
      ++end;
    }
    if (end == at_ + 1 || end == pattern_.size() || pattern_[end] != '}') return false;
    if (pattern_[at_ + 1] == ',') {  // "{,3}" is from none to Ruby, plain text to PCRE2
      out_.append("{0");
      ++at_;
    }
    Copy(end + 1 - at_);
    return true;
  }

  base::Status OpenGroup() {
    if (pattern_.substr(at_).starts_with("(*")) {
      return Fail(ErrorCode::kInvalidArgument, "'(*' at offset {} has nothing to repeat", at_);
    }
    group_starts_.push_back(out_.size());
    Copy(1);
    if (at_ >= pattern_.size() || pattern_[at_] != '?') return {};
    // Ruby's m lets a dot match a newline, which is PCRE2's s; its ^ and $ always match at lines.
    Copy(1);
    while (at_ < pattern_.size() && (pattern_[at_] == 'i' || pattern_[at_] == 'm' ||
                                     pattern_[at_] == 'x' || pattern_[at_] == '-')) {
      out_.push_back(pattern_[at_] == 'm' ? 's' : pattern_[at_]);
      ++at_;
    }
    if (at_ < pattern_.size() && pattern_[at_] != ')') CopyCharacter();
    return {};
  }

  base::Status CharacterClass() {
    Copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == '^') Copy(1);
    if (at_ < pattern_.size() && pattern_[at_] == ']') Copy(1);
    while (at_ < pattern_.size()) {
      const std::string_view rest = pattern_.substr(at_);
      if (rest.starts_with(']')) {
        Copy(1);
        return {};
      }
      if (rest.starts_with("[:")) {
        const std::size_t end = rest.find(":]");
        if (end != std::string_view::npos) {
          Copy(end + 2);
          continue;
        }
      }
      if (rest.starts_with('[') || rest.starts_with("&&")) {
        return Fail(ErrorCode::kUnimplemented,
                    "the character class at offset {} holds another class or '&&', which is not "
                    "supported; write it with a lookahead",
                    at_);
      }
      if (rest.starts_with('\\')) {
        SWITCHYARD_RETURN_IF_ERROR(Escape(/*in_class=*/true));
      } else {
        CopyCharacter();
      }
    }
    return Fail(ErrorCode::kInvalidArgument, "a character class is not closed");
  }

  base::Status Escape(bool in_class) {
    if (at_ + 1 >= pattern_.size()) {
      return Fail(ErrorCode::kInvalidArgument, "the pattern ends in a backslash");
    }
    const char letter = pattern_[at_ + 1];
    switch (letter) {
      case 's':
      case 'w':
      case 'h':
      case 'S':
      case 'W':
      case 'H': {
        const bool negated = letter < 'a';
        if (in_class && negated) {
          return Fail(ErrorCode::kUnimplemented,
                      "'\\{}' inside a character class is not supported; at offset {}", letter,
                      at_);
        }
        const char kind = static_cast<char>(letter | 0x20);
        const std::string_view set = kind == 's' ? kSpaces : kind == 'w' ? kWords : kHexDigits;
        if (!in_class) out_.append(negated ? "[^" : "[");
        out_.append(set);
        if (!in_class) out_.push_back(']');
        at_ += 2;
        return {};
      }
      case 'p':
      case 'P':
        return Property();
      case 'u': {
        const std::string_view digits = pattern_.substr(at_ + 2, 4);
        const bool is_hex =
            digits.size() == 4 && std::ranges::all_of(digits, [](char c) {
              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            });
        if (!is_hex) {
          return Fail(ErrorCode::kInvalidArgument, "'\\u' at offset {} needs four hex digits", at_);
        }
        out_.append("\\x{").append(digits).push_back('}');
        at_ += 6;
        return {};
      }
      default:
        Copy(1);
        CopyCharacter();
        return {};
    }
  }

  // PCRE2 takes a bare script name to mean Script_Extensions, Oniguruma the property Script.
  base::Status Property() {
    const std::size_t end = pattern_.find('}', at_);
    if (at_ + 2 >= pattern_.size() || pattern_[at_ + 2] != '{' || end == std::string_view::npos) {
      Copy(2);
      return {};
    }
    std::string_view name = pattern_.substr(at_ + 3, end - at_ - 3);
    out_.append(pattern_.substr(at_, 3));
    if (name.starts_with('^')) {
      out_.push_back('^');
      name.remove_prefix(1);
    }
    const bool is_category =
        std::ranges::find(kCategoryNames, name) != kCategoryNames.end() || name == "Zp";
    if (!is_category && name.find_first_of(":=") == std::string_view::npos) out_.append("sc:");
    out_.append(name).push_back('}');
    at_ = end + 1;
    return {};
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_start_ = 0;             // in out_, of what a quantifier would repeat
  std::vector<std::size_t> group_starts_;  // in out_, of the groups that are open
};

}  // namespace

base::Result<std::string> RewriteForPcre2(std::string_view pattern) {
  return Rewriter(pattern).Run();
}

}  // namespace switchyard::model::tokenization
