#include "certify/internal/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "certify/internal/markup.h"

namespace switchyard::certify::internal {
namespace {

// More would be a wall; the file has them all.
constexpr std::size_t kMaxRows = 40;
constexpr std::size_t kMaxBars = 10;
constexpr std::size_t kMaxDots = 160;
constexpr std::size_t kMaxPoints = 2000;

std::string Power(int exponent) {
  static constexpr std::string_view kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = "10";
  if (exponent < 0) text += "⁻";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

// Decades that hold every value; what is zero or below stands at the left end.
class LogAxis {
 public:
  explicit LogAxis(std::span<const double> values) {
    double least = HUGE_VAL;
    double most = 0;
    for (const double value : values) {
      if (!std::isfinite(value) || value <= 0) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
    if (most == 0) return;  // all are zero
    last_ = std::clamp(static_cast<int>(std::ceil(std::log10(most))), -20, 30);
    first_ =
        std::clamp(static_cast<int>(std::floor(std::log10(least))), last_ - kMaxDecades, last_ - 2);
  }

  int first() const { return first_; }
  int last() const { return last_; }
  // Ticks at every decade, or at fewer where they would crowd.
  int step() const { return (last_ - first_ + 5) / 6; }

  // 0 to 100 of the axis.
  double Place(double value) const {
    if (std::isnan(value)) return 100;
    if (value <= 0) return 0;
    const double decades = std::log10(value) - first_;
    return std::clamp(100 * decades / (last_ - first_), 0.0, 100.0);
  }

 private:
  static constexpr int kMaxDecades = 14;
  int first_ = -9;
  int last_ = 0;
};

// Without ends it runs through the whole row, which may be higher than the plot and clips it.
std::string VerticalLine(double percent, std::string_view style, int from = -60, int to = 90) {
  return fmt::format(R"(<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>)", style,
                     percent, percent, from, to);
}

std::string Bar(double from, double to, double y, double height, std::string_view style) {
  return fmt::format(R"(<rect class="{}" x="{:.2f}%" width="{:.2f}%" y="{}" height="{}"/>)", style,
                     from, std::max(0.0, to - from), y, height);
}

std::string Dot(double percent, double y, double radius, std::string_view style) {
  return fmt::format(R"(<circle class="{}" cx="{:.2f}%" cy="{}" r="{}"/>)", style, percent, y,
                     radius);
}

// Text under or over a mark, kept within the plot at its ends.
std::string Label(double percent, double y, std::string_view text,
                  std::string_view style = "tick") {
  const std::string_view anchor = percent < 3 ? "start" : percent > 97 ? "end" : "middle";
  return fmt::format(R"(<text class="{}" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>)", style,
                     percent, y, anchor, Escape(text));
}

// `label`, `note` and `value` are text from outside; `marks` is SVG.
std::string Row(std::string_view label, std::string_view note, std::string_view marks,
                std::string_view value) {
  const std::string small =
      note.empty() ? std::string() : fmt::format("<small>{}</small>", Escape(note));
  return fmt::format(
      "<div class=\"row\"><span class=\"label\">{}{}</span><svg class=\"track\" role=\"img\" "
      "aria-label=\"{}\">{}</svg><span class=\"value\">{}</span></div>\n",
      Escape(label), small, Escape(fmt::format("{}: {}", label, value)), marks, Escape(value));
}

std::string AxisRow(std::string_view marks, int height) {
  return fmt::format(
      "<div class=\"row axis\"><span class=\"label\"></span><svg class=\"track\" "
      "style=\"height:{}px\" aria-hidden=\"true\">{}</svg><span class=\"value\"></span></div>\n",
      height, marks);
}

std::string Figure(std::string_view rows, std::string_view caption) {
  return fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n", rows, caption);
}

std::string AndMore(std::size_t all, std::size_t shown) {
  if (all <= shown) return "";
  return fmt::format(" {} more are in the certificate's file.",
                     CountText(static_cast<std::int64_t>(all - shown)));
}

double Quantile(const std::vector<double>& quantiles, double p) {
  const double at = p * static_cast<double>(quantiles.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, quantiles.size() - 1);
  const double share = at - static_cast<double>(below);
  return share == 0 ? quantiles[below] : quantiles[below] * (1 - share) + quantiles[above] * share;
}

}  // namespace

std::string NumberText(double value) {
  if (!std::isfinite(value)) return "not finite";
  if (value == 0) return "0";
  const double size = std::fabs(value);
  if (size < 1e-3 || size >= 1e7) {
    const std::string text = fmt::format("{:.1e}", value);
    const std::size_t e = text.find('e');
    return text.substr(0, e) + "×" + Power(std::stoi(text.substr(e + 1)));
  }
  if (size >= 1000) {
    return (value < 0 ? "−" : "") + CountText(static_cast<std::int64_t>(std::llround(size)));
  }
  return fmt::format("{:.3g}", value);
}

std::string CountText(std::int64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool is_after_digit = i > 0 && digits[i - 1] != '-';
    if (is_after_digit && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string PercentText(double share) {
  const double percent = 100 * share;
  if (!std::isfinite(percent)) return "not finite";
  if (percent == 0) return "0 %";
  if (std::fabs(percent) >= 1000) return NumberText(percent) + " %";
  if (std::fabs(percent) < 0.1) return "< 0.1 %";
  // 99.96 % is not all.
  if (percent > 99 && percent < 100) {
    return fmt::format("{:.2f} %", std::floor(percent * 100) / 100);
  }
  return std::fabs(percent) < 10 ? fmt::format("{:.1f} %", percent)
                                 : fmt::format("{:.0f} %", percent);
}

std::string KlPlot(const std::vector<Divergence>& divergences, const KlBounds& bounds) {
  struct Bound {
    const char* name;
    double value;
  };
  const Bound named[] = {{"mean", bounds.mean}, {"p99", bounds.p99}, {"worst", bounds.worst}};
  const std::size_t shown = std::min(divergences.size(), kMaxRows);
  std::vector<double> values = {bounds.mean, bounds.p99, bounds.worst};
  for (const Divergence& divergence : std::span(divergences).first(shown)) {
    values.insert(values.end(), {divergence.mean_kl, divergence.p99_kl, divergence.worst_kl});
    const auto& quantiles = divergence.kl_quantiles;
    if (!quantiles.empty()) values.push_back(Quantile(quantiles, 0.05));
  }
  const LogAxis axis(values);

  std::string background;
  for (int decade = axis.first(); decade <= axis.last(); ++decade) {
    background += VerticalLine(axis.Place(std::pow(10.0, decade)), "grid");
  }
  std::string bound_names;
  double last_place = -100;
  double y = 10;
  bool has_bounds = false;
  for (const Bound& bound : named) {
    if (!std::isfinite(bound.value) || bound.value <= 0) continue;
    has_bounds = true;
    const double place = axis.Place(bound.value);
    y = place - last_place < 13 && y == 22 ? 10 : 22;
    background += VerticalLine(place, "bound");
    bound_names += Label(place, y, bound.name, "bound-name");
    last_place = place;
  }

  std::string rows = has_bounds ? AxisRow(bound_names, 26) : "";
  for (const Divergence& divergence : std::span(divergences).first(shown)) {
    const auto style = [](double value, double bound, std::string_view good, std::string_view bad) {
      return bound > 0 && !(value <= bound) ? bad : good;
    };
    std::string marks = background;
    const auto& quantiles = divergence.kl_quantiles;
    if (!quantiles.empty()) {
      const auto place = [&](double p) { return axis.Place(Quantile(quantiles, p)); };
      marks += Bar(place(0.05), place(0.95), 14, 2, "ink");
      marks += Bar(place(0.25), place(0.75), 10, 10, "ink");
    }
    marks += VerticalLine(axis.Place(divergence.p99_kl),
                          style(divergence.p99_kl, bounds.p99, "p99", "p99 bad"), 8, 22);
    marks += Dot(axis.Place(divergence.worst_kl), 15, 4,
                 style(divergence.worst_kl, bounds.worst, "worst", "worst bad"));
    marks += Dot(axis.Place(divergence.mean_kl), 15, 4,
                 style(divergence.mean_kl, bounds.mean, "mean", "mean bad"));
    rows += Row(divergence.scenario,
                fmt::format("{} positions, context of {}", CountText(divergence.positions),
                            CountText(divergence.context)),
                marks, "mean " + NumberText(divergence.mean_kl));
  }
  std::string ticks;
  for (int decade = axis.first(); decade <= axis.last(); decade += axis.step()) {
    ticks += Label(axis.Place(std::pow(10.0, decade)), 12, Power(decade));
  }
  ticks += Label(50, 28, "KL divergence from A to B, nats, log scale", "unit");
  rows += AxisRow(ticks, 32);
  return Figure(
      rows,
      "How to read it: the further left, the closer B’s answers are to A’s. The bar holds "
      "the middle half of the positions, the thin line those from 5 to 95 of 100; "
      "<b class=\"key\">|</b> is the 99th of 100, <b class=\"key\">○</b> the worst and "
      "<b class=\"key\">●</b> the mean, each to lie left of the line with its name, the bound." +
          AndMore(divergences.size(), shown));
}

std::string GreedyPlot(const std::vector<GreedyText>& texts) {
  const std::size_t shown = std::min(texts.size(), kMaxRows);
  std::int64_t longest = 1;
  for (const GreedyText& text : std::span(texts).first(shown)) {
    longest = std::max(longest, text.tokens);
  }
  const auto place = [&](std::int64_t tokens) {
    return std::clamp(100 * static_cast<double>(tokens) / static_cast<double>(longest), 0.0, 100.0);
  };
  std::string rows;
  for (const GreedyText& text : std::span(texts).first(shown)) {
    const std::int64_t same = std::min(text.first_difference.value_or(text.tokens), text.tokens);
    std::string marks = Bar(0, place(text.tokens), 10, 10, "empty");
    marks += Bar(0, place(same), 10, 10, "ink");
    if (text.first_difference) {
      marks += VerticalLine(place(same), "difference", 6, 24);
    }
    rows += Row(
        text.prompt, text.first_difference ? "gap " + NumberText(text.gap) : std::string(), marks,
        text.first_difference ? fmt::format("{} of {}", CountText(same), CountText(text.tokens))
                              : fmt::format("all {}", CountText(text.tokens)));
  }
  return Figure(rows, fmt::format("How to read it: a full bar is a text whose every token (of at "
                                  "most {}) is the same on A and B when the likeliest is always "
                                  "taken; a mark is the first that differs, and the gap is how far "
                                  "A’s best logit lay above its second there.{}",
                                  CountText(longest), AndMore(texts.size(), shown)));
}

std::string DriftPlot(const std::vector<LayerDrift>& drift) {
  const auto layers = std::span(drift).first(std::min(drift.size(), kMaxPoints));
  std::vector<double> values;
  for (const LayerDrift& layer : layers) values.push_back(layer.nmse);
  const LogAxis axis(values);
  constexpr double kTop = 14;  // room for the text on the highest line
  constexpr double kHeight = 180;
  const auto y = [&](double value) { return kTop + kHeight * (1 - axis.Place(value) / 100); };
  // The first 9 % of the width hold the axis' numbers.
  const auto x = [&](std::size_t i) {
    return layers.size() < 2
               ? 54.0
               : 10 + 88 * static_cast<double>(i) / static_cast<double>(layers.size() - 1);
  };

  std::string svg;
  for (int decade = axis.first(); decade <= axis.last(); decade += axis.step()) {
    const double height = y(std::pow(10.0, decade));
    svg += fmt::format(R"(<line class="grid" x1="0" x2="100%" y1="{:.1f}" y2="{:.1f}"/>)", height,
                       height);
    svg +=
        fmt::format(R"(<text class="tick" x="0" y="{:.1f}">{}</text>)", height - 3, Power(decade));
  }
  std::string points;
  std::string dots;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double height = y(layers[i].nmse);
    points += fmt::format("{:.2f},{:.1f} ", x(i), height);
    if (layers.size() <= kMaxDots) {
      dots += Dot(x(i), std::round(height * 10) / 10, 2.5,
                  std::isfinite(layers[i].nmse) ? "mean" : "mean bad");
    }
  }
  svg += fmt::format(
      "<svg x=\"0\" y=\"0\" width=\"100%\" height=\"{0}\" viewBox=\"0 0 100 {0}\" "
      "preserveAspectRatio=\"none\"><polyline class=\"curve\" points=\"{1}\"/></svg>{2}",
      kTop + kHeight + 4, points, dots);
  const std::size_t step = std::max<std::size_t>(1, (layers.size() + 7) / 8);
  for (std::size_t i = 0; i < layers.size(); i += step) {
    svg += Label(x(i), kTop + kHeight + 18, std::to_string(layers[i].layer));
  }
  svg += Label(54, kTop + kHeight + 36, "layer", "unit");
  return Figure(
      fmt::format("<p class=\"unit\">NMSE: squared difference over A’s mean square, log scale</p>\n"
                  "<svg class=\"field\" role=\"img\" aria-label=\"drift by layer\" "
                  "style=\"height:{}px\">{}</svg>\n",
                  kTop + kHeight + 42, svg),
      "How to read it: each layer adds its rounding, so a gentle rise is healthy; a step upwards "
      "points at the layer in which B goes wrong." +
          AndMore(drift.size(), layers.size()));
}

std::string CeilingPlot(const std::vector<OperationCost>& costs, std::string_view phase) {
  std::string marks20to80 = VerticalLine(20, "grid") + VerticalLine(80, "target");
  std::string rows;
  std::size_t all = 0;
  std::size_t shown = 0;
  for (const OperationCost& cost : costs) {
    if (cost.phase != phase) continue;
    ++all;
    if (shown == kMaxBars) continue;
    ++shown;
    const bool is_known = std::isfinite(cost.share_of_ceiling) && cost.share_of_ceiling > 0;
    std::string marks = Bar(0, 100, 10, 10, "empty");
    if (is_known) {
      marks += Bar(0, std::min(100.0, 100 * cost.share_of_ceiling), 10, 10,
                   cost.on_fallback ? "fallback" : "ink");
    }
    const std::string value = cost.on_fallback ? "on the fallback"
                              : is_known       ? PercentText(cost.share_of_ceiling)
                                               : "unknown";
    rows += Row(cost.operation,
                fmt::format("{} · {} of the step", cost.shape, PercentText(cost.share_of_step)),
                marks + marks20to80, value);
  }
  std::string ticks;
  for (const int percent : {0, 20, 40, 60, 100}) {
    ticks += Label(percent, 12, percent == 0 ? "0" : fmt::format("{} %", percent));
  }
  ticks += Label(80, 12, "80 %", "target-name");
  ticks += Label(50, 28, "share of the measured ceiling that binds", "unit");
  rows += AxisRow(ticks, 32);
  return Figure(rows,
                "How to read it: the operations that take most of the step come first; a bar that "
                "ends before the 80 % line leaves speed on the table." +
                    AndMore(all, shown));
}

}  // namespace switchyard::certify::internal
