// Export rules as text: TOML, as data/rules/export_rules.toml explains it. Every key is checked, and
// an error names the rule and the line.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/export_rules.h"

namespace switchyard::policy {

// `subject` names the text in errors, such as a file's path.
base::Result<std::vector<ExportRule>> ParseExportRules(std::string_view text,
                                                       std::string_view subject);

// data/rules/export_rules.toml, which travels inside the program.
std::string_view ShippedExportRules();

}  // namespace switchyard::policy
