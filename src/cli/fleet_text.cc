#include "cli/fleet_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/json_reading.h"

namespace switchyard::cli {
namespace {

using base::At;
using base::CountAt;
using base::FlagAt;
using base::Json;
using base::NumberAt;
using base::TextAt;
using base::TextsAt;

using Row = std::vector<std::string>;

// The elements of a list, of a list only.
const Json& ListAt(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  const Json& list = At(json, key);
  return list.is_array() ? list : kNone;
}

// A terminal obeys control characters, and these texts come from elsewhere.
std::string Plain(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text;
}

// Columns as wide as their widest cell, two blanks between them.
std::string Table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}", row[i], i + 1 == row.size() ? 0 : widths[i] + 2);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string Milliseconds(double ms) { return ms > 0 ? fmt::format("{:.1f}", ms) : "-"; }

Row MemberRow(const Json& member) {
  const Json& place = At(member, "place");
  const Json& load = At(member, "load");
  const Json& counts = At(member, "counts");
  std::int64_t failed = 0;
  if (const Json& causes = At(counts, "failed"); causes.is_object()) {
    for (const auto& [cause, count] : causes.items()) failed += CountAt(causes, cause.c_str());
  }
  std::vector<std::string> models;
  for (const Json& model : ListAt(member, "models")) {
    const bool is_certified = TextAt(model, "certificate") == "in force";
    models.push_back(Plain(TextAt(model, "name")) + (is_certified ? "*" : ""));
  }
  return {Plain(TextAt(member, "name")),
          TextAt(member, "state"),
          Plain(TextAt(place, "chip")),
          Plain(TextAt(place, "maker")),
          Plain(TextAt(place, "region")),
          fmt::format("{}", CountAt(member, "hand_over_level")),
          fmt::format("{}", CountAt(load, "in_flight")),
          fmt::format("{}+{}", CountAt(load, "running"), CountAt(load, "waiting")),
          fmt::format("{:.0f}%", NumberAt(load, "kv_share") * 100),
          Milliseconds(NumberAt(load, "first_token_ms")),
          Milliseconds(NumberAt(load, "token_ms")),
          fmt::format("{}/{}", CountAt(counts, "finished"), failed),
          fmt::format("{}", fmt::join(models, ","))};
}

std::string FeltText(const Json& felt) {
  const Json& first = At(felt, "first_token_ms");
  const Json& gap = At(felt, "longest_gap_ms");
  return fmt::format(
      "  requests        {} ({} whole, {} refused, {} broken, {} cancelled by clients)\n"
      "  moved           {} of the whole ones, unseen\n"
      "  tokens          {}\n"
      "  first token     {} ms median, {} ms p99\n"
      "  longest gap     {} ms median, {} ms p99, {} ms at most\n",
      CountAt(felt, "requests"), CountAt(felt, "whole"), CountAt(felt, "refused"),
      CountAt(felt, "broken"), CountAt(felt, "cancelled"), CountAt(felt, "moved"),
      CountAt(felt, "tokens"), Milliseconds(NumberAt(first, "p50")),
      Milliseconds(NumberAt(first, "p99")), Milliseconds(NumberAt(gap, "p50")),
      Milliseconds(NumberAt(gap, "p99")), Milliseconds(NumberAt(gap, "most")));
}

}  // namespace

std::string FleetText(const Json& fleet) {
  std::vector<Row> rows{{"MEMBER", "STATE", "CHIP", "MAKER", "REGION", "LEVEL", "HERE", "RUN+WAIT",
                         "KV", "TTFT ms", "ITL ms", "DONE/FAILED", "MODELS (* certified)"}};
  std::string troubles;
  for (const Json& member : ListAt(fleet, "members")) {
    rows.push_back(MemberRow(member));
    if (const std::string trouble = TextAt(member, "trouble"); !trouble.empty()) {
      troubles += fmt::format("{}: {}\n", Plain(TextAt(member, "name")), Plain(trouble));
    }
  }
  std::string text = Table(rows) + troubles;
  for (const Json& member : ListAt(fleet, "members")) {
    const std::string rule = TextAt(member, "export_rule");
    if (rule.empty()) continue;
    text += fmt::format("{}: the rule {} stands against it\n", Plain(TextAt(member, "name")),
                        Plain(rule));
  }
  const Json& orders = At(fleet, "orders");
  for (const char* order : {"draining", "forbidden"}) {
    for (const std::string& what : TextsAt(orders, order)) {
      text += fmt::format("{} by order: {}\n", order, Plain(what));
    }
  }
  if (const Json& felt = At(fleet, "felt"); felt.is_object()) {
    text += fmt::format("In the last {:.0f} s:\n{}", NumberAt(felt, "seconds"), FeltText(felt));
  }
  return text;
}

std::string ExplanationText(const Json& decisions) {
  std::string text =
      fmt::format("Request {} for {}{}\n", Plain(TextAt(decisions, "request")),
                  Plain(TextAt(decisions, "model")),
                  TextAt(decisions, "key").empty() ? std::string()
                                                   : ", key " + Plain(TextAt(decisions, "key")));
  for (const Json& step : ListAt(decisions, "steps")) {
    const std::string member = TextAt(step, "member");
    text +=
        fmt::format("{}  {}: {}\n", Plain(TextAt(step, "time")), Plain(TextAt(step, "occasion")),
                    member.empty() ? "nobody" : "to " + Plain(member));
    for (const std::string& why : TextsAt(step, "why")) {
      text += fmt::format("    {}\n", Plain(why));
    }
  }
  return text;
}

std::string DrillText(const Json& drill) {
  if (!drill.is_object()) return "There was no drill since the gateway started.\n";
  std::vector<std::string> members;
  for (const std::string& member : TextsAt(drill, "members")) members.push_back(Plain(member));
  return fmt::format(
      "Drill: {} out for {:.0f} s ({}); {} answers in progress were cut off there.\n"
      "Before, as long:\n{}{}\n{}",
      Plain(TextAt(drill, "what")), NumberAt(drill, "seconds"), fmt::join(members, ", "),
      CountAt(drill, "answers_cut"), FeltText(At(drill, "before")),
      FlagAt(drill, "is_over") ? "Meanwhile:" : "Until now, it still runs:",
      FeltText(At(drill, "during")));
}

std::string AuditText(const Json& audit) {
  std::vector<Row> rows{{"ID", "TIME", "WHO", "WHAT", "OF", "MORE"}};
  for (const Json& entry : ListAt(audit, "entries")) {
    rows.push_back({fmt::format("{}", CountAt(entry, "id")), Plain(TextAt(entry, "time")),
                    Plain(TextAt(entry, "actor")), Plain(TextAt(entry, "action")),
                    Plain(TextAt(entry, "subject")), Plain(TextAt(entry, "detail"))});
  }
  return Table(rows);
}

}  // namespace switchyard::cli
