#include "cli/fleet_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

base::Json Parse(std::string_view text) { return *base::ParseJson(text, "the text"); }

TEST(FleetText, MembersOrdersAndWhatUsersFelt) {
  const std::string text = FleetText(Parse(R"({
    "members": [
      {"name": "a", "state": "ready", "hand_over_level": 1, "place": {"chip": "x1", "maker": "xco"},
       "load": {"in_flight": 3, "running": 4, "waiting": 1, "kv_share": 0.25, "token_ms": 12.34},
       "counts": {"finished": 9, "failed": {"reset": 2, "stall": 1}},
       "models": [{"name": "m", "certificate": "in force"}, {"name": "n", "certificate": "none"}]},
      {"name": "bb", "state": "lost", "export_rule": "R-1", "trouble": "it does not answer\u001b[2J"}],
    "orders": {"draining": [], "forbidden": ["maker=yco"]},
    "felt": {"seconds": 60, "requests": 7, "whole": 6, "moved": 2,
             "longest_gap_ms": {"most": 41.5}}})"));
  EXPECT_THAT(text, HasSubstr("a       ready  x1    xco            1      3     4+1       25%"));
  EXPECT_THAT(text, HasSubstr("12.3    9/3          m*,n"));
  EXPECT_THAT(text, HasSubstr("bb: it does not answer?[2J\n"));
  EXPECT_THAT(text, HasSubstr("bb: the rule R-1 stands against it\n"));
  EXPECT_THAT(text, HasSubstr("forbidden by order: maker=yco\n"));
  EXPECT_THAT(text, HasSubstr("7 (6 whole, 0 refused"));
  EXPECT_THAT(text, HasSubstr("41.5 ms at most"));
}

TEST(FleetText, Explanation) {
  const std::string text = ExplanationText(Parse(R"({
    "request": "r-1", "model": "m", "key": "t", "steps": [
      {"time": "T", "occasion": "begin", "member": "a", "why": ["a can run it"]},
      {"time": "U", "occasion": "hand-over after reset", "member": null, "why": []}]})"));
  EXPECT_EQ(text,
            "Request r-1 for m, key t\nT  begin: to a\n    a can run it\n"
            "U  hand-over after reset: nobody\n");
}

TEST(FleetText, DrillAndAudit) {
  EXPECT_THAT(DrillText(nullptr), HasSubstr("no drill"));
  EXPECT_THAT(DrillText(Parse(R"({"what": "maker=x", "seconds": 60, "members": ["a", "b"],
                                  "answers_cut": 4, "is_over": true})")),
              HasSubstr("maker=x out for 60 s (a, b); 4 answers in progress were cut off there"));
  EXPECT_EQ(AuditText(Parse(R"({"entries": [{"id": 3, "time": "T", "actor": "operator/ann",
                                             "action": "drain", "subject": "a"}]})")),
            "ID  TIME  WHO           WHAT   OF  MORE\n3   T     operator/ann  drain  a\n");
}

TEST(FleetText, WhateverComes) {
  for (const std::string_view text :
       {"null", "5", "[]", R"({"members": 5})", R"({"members": [5, null, {"models": {}}]})",
        R"({"entries": {}})", R"({"steps": [[]]})", R"({"orders": [], "felt": []})"}) {
    const base::Json json = Parse(text);
    EXPECT_THAT(FleetText(json), HasSubstr("MEMBER"));
    EXPECT_THAT(AuditText(json), HasSubstr("WHO"));
    EXPECT_THAT(ExplanationText(json), HasSubstr("Request"));
    EXPECT_THAT(DrillText(json), Not(HasSubstr("\x1b")));
  }
}

}  // namespace
}  // namespace switchyard::cli
