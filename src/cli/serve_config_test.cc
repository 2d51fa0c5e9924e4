#include "cli/serve_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <set>
#include <sstream>

#include "cli/serve_options.h"

namespace switchyard::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Parsed {
  CLI::App app{"", "switchyard"};
  CLI::App* command = app.add_subcommand("serve");
  ServeOptions options;

  explicit Parsed(std::string line = "serve") {
    AddServeOptions(*command, options);
    app.parse(line);
  }
  base::Status Apply(std::string_view text) { return ApplyConfig(text, "serve.toml", *command); }
  std::string Refusal(std::string_view text) {
    const base::Status status = Apply(text);
    return status ? "" : status.error().message;
  }
};

TEST(ServeConfig, SetsOptionsOfEveryKind) {
  Parsed parsed;
  const auto status = parsed.Apply(
      "model = \"smollm2\"\n"
      "chip = [\"one\", \"two\"]\n"
      "chip_option = \"one:threads=1\"\n"
      "port = 9000\n"
      "no-request-log = true\n");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(parsed.options.session.model, "smollm2");
  EXPECT_THAT(parsed.options.chips, testing::ElementsAre("one", "two"));
  EXPECT_THAT(parsed.options.session.chip_options, testing::ElementsAre("one:threads=1"));
  EXPECT_EQ(parsed.options.port, 9000);
  EXPECT_TRUE(parsed.options.no_request_log);
}

TEST(ServeConfig, TheCommandLineWins) {
  Parsed parsed("serve other --port 1234");
  ASSERT_TRUE(parsed.Apply("model = \"smollm2\"\nport = 9000\nhost = \"::1\"\n"));
  EXPECT_EQ(parsed.options.session.model, "other");
  EXPECT_EQ(parsed.options.port, 1234);
  EXPECT_EQ(parsed.options.host, "::1");
}

TEST(ServeConfig, RefusalsSayWhereAndWhatToDo) {
  EXPECT_EQ(Parsed().Refusal("\nprot = 1\n"),
            "serve.toml:2: there is no option 'prot'; did you mean 'port'?");
  EXPECT_THAT(Parsed().Refusal("nonsense = 1\n"), HasSubstr("'switchyard serve --help' lists"));
  EXPECT_EQ(Parsed().Refusal("port = \"80\"\n"), "serve.toml:1: 'port' must be a whole number");
  EXPECT_EQ(Parsed().Refusal("\n\nhost = 1\n"), "serve.toml:3: 'host' must be a text in quotes");
  EXPECT_EQ(Parsed().Refusal("no-request-log = 1\n"),
            "serve.toml:1: 'no-request-log' must be true or false");
  EXPECT_THAT(Parsed().Refusal("chip = [1]\n"), HasSubstr("or a list of them"));
  EXPECT_THAT(Parsed().Refusal("port = 70000\n"),
              testing::AllOf(StartsWith("serve.toml:1: 'port' cannot be 70000"),
                             HasSubstr("not in range 0 to 65535")));
  EXPECT_THAT(Parsed().Refusal("max-running = 0\n"), StartsWith("serve.toml:1:"));
  EXPECT_THAT(Parsed().Refusal("[limits]\nport = 1\n"), HasSubstr("[limits] is a table"));
  EXPECT_THAT(Parsed().Refusal("max-body-mib = 1\nmax_body_mib = 2\n"), HasSubstr("twice"));
  EXPECT_THAT(Parsed().Refusal("port = \n"), StartsWith("serve.toml:1:"));
  EXPECT_THAT(Parsed().Refusal("config = \"x\"\n"), HasSubstr("no option 'config'"));
}

// Whatever the command line offers is a key, and the example is a file that can be read.
TEST(ServeConfig, TheExampleHoldsEveryOptionAndIsAFile) {
  Parsed parsed;
  const std::string example = ExampleConfig(*parsed.command);
  std::string said;
  std::istringstream lines(example);
  std::set<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ' && line[1] != '#';
    if (!is_key) continue;
    keys.insert(line.substr(1, line.find(' ') - 1));
    said += line.substr(1) + "\n";
  }
  const std::set<std::string> no_keys = {"help", "config", "print-config"};
  for (const CLI::Option* option : parsed.command->get_options()) {
    if (option->get_lnames().empty() || no_keys.contains(option->get_lnames()[0])) continue;
    EXPECT_TRUE(keys.contains(option->get_lnames()[0])) << option->get_name();
    EXPECT_FALSE(option->get_description().empty()) << option->get_name();
    EXPECT_NE(option->get_group(), "Options") << option->get_name() << " is in no group";
  }
  EXPECT_TRUE(keys.contains("model"));
  const ServeOptions usual;
  const auto status = parsed.Apply(said);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(parsed.options.port, usual.port);
  EXPECT_EQ(parsed.options.max_body_mib, usual.max_body_mib);
}

}  // namespace
}  // namespace switchyard::cli
