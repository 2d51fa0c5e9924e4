// What a run of the suite found, for people: a table of what the chip covers, the closest calls,
// and each failure.
#pragma once

#include <span>
#include <string>

#include "conformance/suite.h"

namespace switchyard::conformance {

struct Totals {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
};

Totals Count(std::span<const CaseResult> results);

// For each row of the table the columns that passed, lack something or failed; then failures, and
// the reasons for skips, each once with its count.
std::string Report(std::span<const CaseResult> results);

}  // namespace switchyard::conformance
