#include "conformance/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace switchyard::conformance {
namespace {

// One row of the coverage table.
struct Row {
  Totals totals;
  double worst_share = 0;
  double max_error = 0;
  double nmse = 0;
  double seconds = 0;
  std::vector<std::string> lacking;  // columns of which nothing ran
};

void AddTo(Totals& totals, Verdict verdict) {
  totals.passed += verdict == Verdict::kPass ? 1 : 0;
  totals.failed += verdict == Verdict::kFail ? 1 : 0;
  totals.skipped += verdict == Verdict::kSkip ? 1 : 0;
}

}  // namespace

Totals Count(std::span<const CaseResult> results) {
  Totals totals;
  for (const CaseResult& result : results) AddTo(totals, result.outcome.verdict);
  return totals;
}

std::string Report(std::span<const CaseResult> results) {
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
  std::map<std::string, std::map<std::string, Totals>> columns;
  std::map<std::string, std::size_t> skips;
  std::string notes;
  std::string failures;
  for (const CaseResult& result : results) {
    const auto [found, is_new] = rows.try_emplace(result.which->row);
    if (is_new) order.push_back(result.which->row);
    Row& row = found->second;
    const Outcome& outcome = result.outcome;
    AddTo(row.totals, outcome.verdict);
    AddTo(columns[result.which->row][result.which->column], outcome.verdict);
    row.seconds += result.seconds;
    row.worst_share = std::max(row.worst_share, outcome.share_of_tolerance);
    row.max_error = std::max(row.max_error, outcome.max_error);
    row.nmse = std::max(row.nmse, outcome.nmse);
    if (outcome.verdict == Verdict::kFail) {
      failures += fmt::format("FAIL {}: {}\n", result.which->name, outcome.reason);
    } else if (outcome.verdict == Verdict::kSkip) {
      ++skips[outcome.reason];
    } else if (!outcome.reason.empty()) {
      notes += fmt::format("note {}: {}\n", result.which->name, outcome.reason);
    }
  }
  std::string text =
      fmt::format("{:<28} {:>5} {:>5} {:>5} {:>9} {:>9} {:>9} {:>7}  {}\n", "", "pass", "fail",
                  "skip", "max error", "nmse", "of bound", "seconds", "lacking");
  for (const std::string& name : order) {
    Row& row = rows[name];
    for (const auto& [column, totals] : columns[name]) {
      if (totals.passed + totals.failed == 0) row.lacking.push_back(column);
    }
    text += fmt::format("{:<28} {:>5} {:>5} {:>5} {:>9.2g} {:>9.2g} {:>8.0f}% {:>7.1f}  {}\n", name,
                        row.totals.passed, row.totals.failed, row.totals.skipped, row.max_error,
                        row.nmse, 100 * row.worst_share, row.seconds, fmt::join(row.lacking, ", "));
  }
  for (const auto& [reason, count] : skips) text += fmt::format("skipped {}: {}\n", count, reason);
  text += notes;
  text += failures;
  const Totals totals = Count(results);
  text += fmt::format("{} passed, {} failed, {} skipped\n", totals.passed, totals.failed,
                      totals.skipped);
  return text;
}

}  // namespace switchyard::conformance
