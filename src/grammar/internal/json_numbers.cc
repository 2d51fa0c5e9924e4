#include "grammar/internal/json_numbers.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::grammar::internal {
namespace {

constexpr std::uint64_t kMostInteger = 999'999'999'999'999'999;  // 18 digits
constexpr std::uint64_t kMostWhole = 999'999'999'999'999;        // of a number: 15
constexpr std::uint32_t kFractionDigits = 6;

class Digits {
 public:
  explicit Digits(Grammar& grammar) : grammar_(grammar) {}

  // Whole numbers from `low` to `high`, without leading zeros.
  ExprId Between(std::uint64_t low, std::uint64_t high) {
    std::vector<ExprId> choices;
    const std::size_t longest = std::to_string(high).size();
    for (std::size_t size = std::to_string(low).size(); low <= high && size <= longest; ++size) {
      const std::string nines(size, '9');
      std::string least(size, '0');
      least.front() = '1';
      if (size == std::to_string(low).size()) least = std::to_string(low);
      choices.push_back(Same(least, size == longest ? std::to_string(high) : nines));
    }
    return grammar_.Choice(choices);
  }

  // A point and digits, or nothing.
  ExprId OptionalFraction() { return grammar_.Optional(Fraction(Any(1, kFractionDigits))); }
  ExprId OptionalZeros() {
    return grammar_.Optional(Fraction(grammar_.Repeat(grammar_.Literal("0"), 1, kFractionDigits)));
  }
  // A point and digits that are not all zeros.
  ExprId SomeFraction() {
    std::vector<ExprId> choices;
    for (std::uint32_t zeros = 0; zeros < kFractionDigits; ++zeros) {
      choices.push_back(grammar_.Sequence({grammar_.Literal(std::string(zeros, '0')),
                                           Digit('1', '9'), Any(0, kFractionDigits - zeros - 1)}));
    }
    return Fraction(grammar_.Choice(choices));
  }

 private:
  ExprId Digit(char low, char high) {
    return grammar_.Characters({{static_cast<char32_t>(low), static_cast<char32_t>(high)}});
  }
  ExprId Any(std::size_t min, std::size_t max) {
    return grammar_.Repeat(Digit('0', '9'), static_cast<std::uint32_t>(min),
                           static_cast<std::uint32_t>(max));
  }
  ExprId Fraction(ExprId digits) { return grammar_.Sequence({grammar_.Literal("."), digits}); }

  // Numbers of as many digits as both ends have.
  ExprId Same(std::string_view low, std::string_view high) {
    if (low.empty()) return grammar_.Empty();
    const std::string_view low_rest = low.substr(1);
    const std::string_view high_rest = high.substr(1);
    if (low.front() == high.front()) {
      return grammar_.Sequence({grammar_.Literal(low.substr(0, 1)), Same(low_rest, high_rest)});
    }
    const std::string nines(low_rest.size(), '9');
    const std::string zeros(low_rest.size(), '0');
    if (low_rest == zeros && high_rest == nines) {
      return grammar_.Sequence(
          {Digit(low.front(), high.front()), Any(low_rest.size(), low_rest.size())});
    }
    std::vector<ExprId> choices;
    choices.push_back(
        grammar_.Sequence({grammar_.Literal(low.substr(0, 1)), Same(low_rest, nines)}));
    if (high.front() - low.front() > 1) {
      choices.push_back(grammar_.Sequence(
          {Digit(static_cast<char>(low.front() + 1), static_cast<char>(high.front() - 1)),
           Any(low_rest.size(), low_rest.size())}));
    }
    choices.push_back(
        grammar_.Sequence({grammar_.Literal(high.substr(0, 1)), Same(zeros, high_rest)}));
    return grammar_.Choice(choices);
  }

  Grammar& grammar_;
};

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

// Of a number without its sign.
struct MagnitudeBound {
  std::uint64_t value = 0;
  bool is_excluded = false;
};

ExprId MagnitudeBetween(Grammar& grammar, MagnitudeBound low, std::optional<MagnitudeBound> high) {
  Digits digits(grammar);
  std::vector<ExprId> choices;
  const std::uint64_t most_below = high ? high->value - 1 : kMostWhole;  // wraps at 0, see below
  const bool has_room = !high || high->value > low.value;
  if (has_room) {
    const std::uint64_t from = low.is_excluded ? low.value + 1 : low.value;
    if (from <= most_below) {
      choices.push_back(
          grammar.Sequence({digits.Between(from, most_below), digits.OptionalFraction()}));
    }
    if (low.is_excluded) {
      choices.push_back(
          grammar.Sequence({digits.Between(low.value, low.value), digits.SomeFraction()}));
    }
  }
  const bool holds_high =
      high && !high->is_excluded && (has_room || (high->value == low.value && !low.is_excluded));
  if (holds_high) {
    choices.push_back(
        grammar.Sequence({digits.Between(high->value, high->value), digits.OptionalZeros()}));
  }
  return grammar.Choice(choices);
}

}  // namespace

ExprId IntegerBetween(Grammar& grammar, std::optional<std::int64_t> min,
                      std::optional<std::int64_t> max) {
  Digits digits(grammar);
  std::vector<ExprId> choices;
  const auto most = [](std::uint64_t low) {
    return low <= kMostInteger ? kMostInteger : Magnitude(std::numeric_limits<std::int64_t>::max());
  };
  if (!max || *max >= 0) {
    const std::uint64_t low = min && *min > 0 ? Magnitude(*min) : 0;
    const std::uint64_t high = max ? Magnitude(*max) : most(low);
    if (low <= high) choices.push_back(digits.Between(low, high));
  }
  if (!min || *min < 0) {
    const std::uint64_t low = max && *max < 0 ? Magnitude(*max) : 1;
    const std::uint64_t high = min ? Magnitude(*min) : most(low);
    if (low <= high) {
      choices.push_back(grammar.Sequence({grammar.Literal("-"), digits.Between(low, high)}));
    }
  }
  return grammar.Choice(choices);
}

ExprId NumberBetween(Grammar& grammar, std::optional<NumberBound> min,
                     std::optional<NumberBound> max) {
  std::vector<ExprId> choices;
  const auto bound = [](const NumberBound& b) {
    return MagnitudeBound{Magnitude(b.value), b.is_excluded};
  };
  if (!max || max->value >= 0) {
    const bool begins_above = min && min->value >= 0;
    choices.push_back(MagnitudeBetween(grammar, begins_above ? bound(*min) : MagnitudeBound{},
                                       max ? std::optional(bound(*max)) : std::nullopt));
  }
  if (!min || min->value < 0) {
    const bool ends_below = max && max->value <= 0;
    choices.push_back(
        grammar.Sequence({grammar.Literal("-"),
                          MagnitudeBetween(grammar, ends_below ? bound(*max) : MagnitudeBound{},
                                           min ? std::optional(bound(*min)) : std::nullopt)}));
  }
  return grammar.Choice(choices);
}

}  // namespace switchyard::grammar::internal
