#include "certify/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <optional>
#include <vector>

#include "certify/internal/markup.h"
#include "certify/internal/page_style.h"
#include "certify/internal/plots.h"
#include "certify/utc_time.h"
#include "certify/validity.h"

namespace switchyard::certify {
namespace {

using internal::CountText;
using internal::Escape;
using internal::NumberText;
using internal::PercentText;

constexpr std::size_t kMaxRows = 200;
constexpr std::size_t kMaxPhases = 12;

// A table of text from outside. On a narrow screen a row becomes a small list of its own.
class Table {
 public:
  struct Column {
    std::string_view title;
    std::string_view style;  // "number", "code", or none
  };

  Table(std::initializer_list<Column> columns) : columns_(columns) {}

  void Add(std::initializer_list<std::string> cells) { Add({}, cells); }

  // The first cell of a row that tells good from bad.
  void Add(std::optional<bool> is_good, std::initializer_list<std::string> cells) {
    ++rows_;
    if (rows_ > kMaxRows) return;
    html_ += "<tr>";
    std::size_t column = 0;
    if (is_good) {
      html_ += *is_good ? "<td class=\"verdict yes\">✓ kept</td>"
                        : "<td class=\"verdict no\">✕ not kept</td>";
      ++column;
    }
    for (const std::string& cell : cells) {
      const Column& of = columns_[column++];
      html_ += fmt::format("<td class=\"{}\" title=\"{}\">{}</td>", of.style, Escape(of.title),
                           Escape(cell));
    }
    html_ += "</tr>\n";
  }

  std::string Html() const {
    std::string head;
    for (const Column& column : columns_) {
      head += fmt::format("<th class=\"{}\">{}</th>", column.style, Escape(column.title));
    }
    std::string more;
    if (rows_ > kMaxRows) {
      more = fmt::format("<p class=\"about\">{} more rows are in the certificate’s file.</p>\n",
                         CountText(static_cast<std::int64_t>(rows_ - kMaxRows)));
    }
    return fmt::format(
        "<div class=\"scroll\"><table class=\"stack\">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}"
        "</tbody>\n</table></div>\n{}",
        head, html_, more);
  }

 private:
  std::vector<Column> columns_;
  std::size_t rows_ = 0;
  std::string html_;
};

std::string Section(std::string_view title, std::string_view about, std::string_view body) {
  if (body.empty()) return "";
  return fmt::format("<section>\n<h2>{}</h2>\n<p class=\"about\">{}</p>\n{}</section>\n", title,
                     about, body);
}

std::string Fact(std::string_view name, std::string_view value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", Escape(name), Escape(value));
}

// "2026-11-22T09:30:00Z" with less noise.
std::string DateText(const std::string& time) {
  if (!ParseUtcTime(time)) return time;
  return fmt::format("{} {} UTC", time.substr(0, 10), time.substr(11, 5));
}

std::string Top(const Certificate& certificate) {
  const Fingerprint& fingerprint = certificate.fingerprint;
  const Verdict& verdict = certificate.verdict;
  std::string html = fmt::format(
      "<header>\n<p class=\"eyebrow\">Switchyard certificate</p>\n"
      "<h1 class=\"{}\">{} {}</h1>\n<p class=\"sentence\">{}</p>\n",
      verdict.is_equivalent ? "yes" : "no", verdict.is_equivalent ? "✓" : "✕",
      verdict.is_equivalent ? "Equivalent" : "Not equivalent", Escape(verdict.sentence));
  if (!verdict.guilty.empty()) {
    html += "<div class=\"guilty\"><strong>Guilty, in the order of the program</strong>\n<ol>\n";
    const std::size_t shown = std::min(verdict.guilty.size(), kMaxRows);
    for (std::size_t i = 0; i < shown; ++i) {
      html += fmt::format("<li>{}</li>\n", Escape(verdict.guilty[i]));
    }
    html += "</ol></div>\n";
  }
  const auto side = [](const SideFingerprint& of) {
    return fmt::format("{} — {}, {}", of.chip, of.device, of.proof);
  };
  html += "<dl class=\"facts\">\n";
  html +=
      Fact("Model", fmt::format("{} ({})", fingerprint.model.name, fingerprint.model.weight_types));
  html += Fact("B, the chip in question", side(fingerprint.b));
  html += Fact("A, held against", side(fingerprint.a));
  html += Fact("Valid", fmt::format("from {}\nuntil {}", DateText(certificate.issued),
                                    DateText(certificate.expires)));
  html += Fact("Coarsest operands allowed in products", certificate.operands);
  return html + "</dl>\n</header>\n";
}

std::string Checks(const Verdict& verdict) {
  if (verdict.checks.empty()) return "";
  Table table({{"", "verdict"}, {"check", ""}, {"found", ""}, {"bound", ""}});
  for (const Check& check : verdict.checks) {
    table.Add(check.is_kept, {check.what, check.found, check.bound});
  }
  return table.Html();
}

std::string Divergences(const Certificate& certificate) {
  if (certificate.divergences.empty()) return "";
  Table table({{"scenario", ""},
               {"sequences", "number"},
               {"tokens of a step", "number"},
               {"p99 KL", "number"},
               {"worst KL", "number"},
               {"same best token", "number"},
               {"perplexity A", "number"},
               {"perplexity B", "number"}});
  const auto perplexity = [](double value) {
    if (value == 0) return std::string("–");
    return std::isfinite(value) ? fmt::format("{:.6g}", value) : NumberText(value);
  };
  for (const Divergence& of : certificate.divergences) {
    table.Add({of.scenario, CountText(of.sequences), CountText(of.step_tokens),
               NumberText(of.p99_kl), NumberText(of.worst_kl), PercentText(of.same_best),
               perplexity(of.perplexity_a), perplexity(of.perplexity_b)});
  }
  return internal::KlPlot(certificate.divergences, certificate.kl_bounds) + table.Html();
}

std::string Operations(const Certificate& certificate) {
  std::string html;
  if (!certificate.excesses.empty()) {
    Table table({{"layer", "number"},
                 {"operation", ""},
                 {"weight", "code"},
                 {"shape", "code"},
                 {"complaint", ""},
                 {"step", ""}});
    for (const OperationExcess& excess : certificate.excesses) {
      table.Add({excess.layer < 0 ? "–" : std::to_string(excess.layer), excess.operation,
                 excess.weight, excess.shape, excess.complaint, excess.step});
    }
    html += "<h3>Out of tolerance, in the order of the program</h3>\n" + table.Html();
    html += "<h3>All, by kind</h3>\n";
  }
  if (certificate.operations.empty()) return html;
  Table table({{"operation", ""},
               {"weights", "code"},
               {"compared", "number"},
               {"too far", "number"},
               {"on the fallback", "number"},
               {"worst NMSE", "number"},
               {"of its tolerance", "number"},
               {"why that tolerance", ""}});
  for (const OperationAgreement& of : certificate.operations) {
    const bool is_elsewhere = of.on_fallback == of.compared;  // so there is nothing of B to tell
    table.Add({of.operation, of.weight_type.empty() ? "–" : of.weight_type, CountText(of.compared),
               CountText(of.exceeded), CountText(of.on_fallback),
               is_elsewhere ? "–" : NumberText(of.worst_nmse),
               is_elsewhere ? "–" : PercentText(of.worst_share), of.reason});
  }
  return html + table.Html();
}

std::string SoakFacts(const Soak& soak) {
  if (soak.steps == 0) return "";
  std::string html = "<dl class=\"facts\">\n";
  html += Fact("Steps compared", CountText(soak.steps));
  html += Fact("Time", NumberText(soak.seconds) + " s");
  html += Fact("Not bit for bit as at first", CountText(soak.changed));
  html += Fact("Worst KL to the first", NumberText(soak.worst_kl) + " nats");
  html += Fact("First step over the bound",
               soak.first_excess ? CountText(*soak.first_excess) : std::string("none"));
  return html + "</dl>\n";
}

std::string EfficiencyParts(const Efficiency& efficiency) {
  std::string html;
  if (efficiency.memory_gb_s || !efficiency.gflop_s.empty()) {
    html += "<dl class=\"facts\">\n";
    if (efficiency.memory_gb_s) {
      html += Fact("Memory, measured", NumberText(*efficiency.memory_gb_s) + " GB/s");
    }
    for (const auto& [type, value] : efficiency.gflop_s) {
      html += Fact(type + " arithmetic, measured", NumberText(value) + " GFLOP/s");
    }
    html += "</dl>\n";
  }
  if (!efficiency.phases.empty()) {
    Table table({{"phase", ""},
                 {"tokens per second", "number"},
                 {"share of the ceiling", "number"},
                 {"ceiling", ""}});
    for (const PhaseSpeed& phase : efficiency.phases) {
      table.Add({phase.phase, NumberText(phase.tokens_per_s),
                 phase.share_of_ceiling == 0 ? "unknown" : PercentText(phase.share_of_ceiling),
                 phase.ceiling});
    }
    html += "<h3>Speed</h3>\n" + table.Html();
  }
  if (efficiency.costs.empty()) return html;
  std::vector<std::string> phases;
  for (const OperationCost& cost : efficiency.costs) {
    if (std::ranges::find(phases, cost.phase) == phases.end()) phases.push_back(cost.phase);
    if (phases.size() == kMaxPhases) break;
  }
  for (const std::string& phase : phases) {
    html += fmt::format("<h3>Operations of {}</h3>\n", Escape(phase)) +
            internal::CeilingPlot(efficiency.costs, phase);
  }
  std::vector<OperationCost> by_gain = efficiency.costs;
  std::erase_if(by_gain, [](const OperationCost& cost) { return !(cost.gain_at_80 > 0); });
  std::ranges::stable_sort(by_gain, std::greater<>(), &OperationCost::gain_at_80);
  if (by_gain.empty()) return html;
  Table table({{"phase", ""},
               {"operation", ""},
               {"shape", "code"},
               {"count", "number"},
               {"ms in a step", "number"},
               {"of the step", "number"},
               {"of the ceiling", "number"},
               {"ceiling", ""},
               {"gain at 80 %", "number"}});
  for (const OperationCost& cost : by_gain) {
    table.Add({cost.phase, cost.operation, cost.shape, CountText(cost.count), NumberText(cost.ms),
               PercentText(cost.share_of_step), PercentText(cost.share_of_ceiling), cost.ceiling,
               PercentText(cost.gain_at_80)});
  }
  return html +
         "<h3>The way from 20 % to 80 %</h3>\n"
         "<p class=\"about\">What to make faster first: the time that a step would save if these "
         "operations reached 80 % of their ceiling.</p>\n" +
         table.Html();
}

std::string FingerprintTable(const Fingerprint& fingerprint) {
  Table table({{"", ""}, {"value when measured", "code"}});
  for (const FieldThen& field : FieldsOf(fingerprint)) {
    table.Add({field.field, field.then.empty() ? "none" : field.then});
  }
  return table.Html();
}

}  // namespace

std::string Page(const Certificate& certificate, const PageSignature& signature) {
  const Fingerprint& fingerprint = certificate.fingerprint;
  std::string body = Top(certificate);
  body += Section("Checks", "Every bound that the verdict rests on.", Checks(certificate.verdict));
  body +=
      Section("How far the answers lie apart",
              "Both chips were given the same tokens; KL(A‖B) over the whole vocabulary at each "
              "position.",
              Divergences(certificate));
  body += Section("Greedy texts",
                  "Each chip continued the same prompts by itself, always with the likeliest "
                  "token.",
                  certificate.greedy.empty() ? "" : internal::GreedyPlot(certificate.greedy));
  body += Section("Drift through the layers",
                  "The residual stream of one whole prefill, B on its own intermediate results.",
                  certificate.drift.empty() ? "" : internal::DriftPlot(certificate.drift));
  body += Section("Operations one by one",
                  "Each operation of B was given A’s inputs, so that none inherits another’s "
                  "error.",
                  Operations(certificate));
  body += Section("Soak",
                  "The same decode steps over and over: an answer that changes is a fault of "
                  "memory, order or heat.",
                  SoakFacts(certificate.soak));
  body += Section("Efficiency", "Against what this very chip reached when it was measured.",
                  EfficiencyParts(certificate.efficiency));
  body +=
      Section("What B lacks", "What ran elsewhere, as the program reported when it loaded.",
              certificate.load_report.empty()
                  ? std::string("<p>Nothing: B ran every operation.</p>\n")
                  : fmt::format("<pre class=\"code\">{}</pre>\n", Escape(certificate.load_report)));
  body += Section("What it holds for",
                  "Exactly this. If any of it changes, the certificate no longer holds.",
                  FingerprintTable(fingerprint));
  body += fmt::format(
      "<footer>\n<p>This page shows <span class=\"code\">{0}</span>, which is signed with the "
      "Ed25519 key <span class=\"code\">{1}</span>; the page itself is not signed. To check that "
      "the certificate holds on a machine:</p>\n"
      "<pre class=\"code\">switchyard certify verify {0}</pre>\n"
      "<p>Signature <span class=\"code\">{2}</span></p>\n</footer>\n",
      Escape(signature.file_name), Escape(signature.key_fingerprint), Escape(signature.value));

  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
      "<title>{}: {} on {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}</main>\n"
      "</body>\n</html>\n",
      certificate.verdict.is_equivalent ? "Equivalent" : "Not equivalent",
      Escape(fingerprint.model.name), Escape(fingerprint.b.chip), internal::kPageStyle, body);
}

}  // namespace switchyard::certify
