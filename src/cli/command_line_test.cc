#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/pull_command.h"

namespace switchyard::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int exit_code = 0;
  std::string errors;
};

Outcome RunLine(CommandLine& line, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "switchyard");
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Outcome outcome;
  outcome.exit_code = line.Run(static_cast<int>(arguments.size()), arguments.data());
  outcome.errors = testing::internal::GetCapturedStderr();
  (void)testing::internal::GetCapturedStdout();
  return outcome;
}

Outcome RunWith(std::vector<const char*> arguments) {
  CommandLine line;
  line.Add("good", "works", [] { return base::Status(); });
  line.Add("bad", "fails", []() -> base::Status {
    return base::Fail(base::ErrorCode::kNotFound, "there is no {}", "spoon");
  });
  const Environment environment({});
  AddPullCommand(line, environment);
  return RunLine(line, std::move(arguments));
}

TEST(CommandLine, AMisspeltCommandIsNamed) {
  EXPECT_THAT(RunWith({"godo"}).errors, HasSubstr("'godo' is not known here"));
  EXPECT_THAT(RunWith({}).errors, Not(HasSubstr("not known")));
}

TEST(CommandLine, ExitCodesTellSuccessFailureAndMisuse) {
  EXPECT_EQ(RunWith({"good"}).exit_code, 0);
  EXPECT_EQ(RunWith({"--help"}).exit_code, 0);
  EXPECT_EQ(RunWith({"--version"}).exit_code, 0);
  EXPECT_EQ(RunWith({"pull", "--help"}).exit_code, 0);
  const Outcome failed = RunWith({"bad"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(failed.errors, "switchyard: error: there is no spoon\n");
  for (const auto& arguments : std::vector<std::vector<const char*>>{{},
                                                                     {"nothing"},
                                                                     {"good", "--what"},
                                                                     {"good", "bad"},
                                                                     {"pull"},
                                                                     {"pull", "x", "--list"}}) {
    const Outcome misused = RunWith(arguments);
    EXPECT_EQ(misused.exit_code, 2);
    EXPECT_THAT(misused.errors, HasSubstr("switchyard: error: "));
    EXPECT_THAT(misused.errors, HasSubstr("--help"));
  }
}

}  // namespace
}  // namespace switchyard::cli
