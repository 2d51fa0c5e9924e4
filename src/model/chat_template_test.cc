#include "model/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The tests run in the repository's root.
const std::filesystem::path kCases = "tests/chat_templates";
const std::filesystem::path kPublished = "../shared/data/chat_templates";

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << "cannot read " << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What make_expected.py takes for now.
std::chrono::system_clock::time_point Now() {
  std::tm local = {};
  local.tm_year = 2024 - 1900;
  local.tm_mon = 6;
  local.tm_mday = 26;
  local.tm_hour = 12;
  local.tm_min = 34;
  local.tm_sec = 56;
  local.tm_isdst = -1;
  return std::chrono::system_clock::from_time_t(std::mktime(&local));
}

std::string DigestOfText(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325U;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return fmt::format("{:016x}", value);
}

Json Joined(Json shared, const Json& own) {
  for (const auto& [key, value] : own.items()) shared[key] = value;
  return shared;
}

base::Result<std::string> Render(std::string_view source, const Json& context) {
  auto parsed = ChatTemplate::Parse(source);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->Render(context, Now());
}

// The error's message; fails the test if there is none.
std::string TemplateRefusal(std::string_view source, const Json& context = Json::object()) {
  const auto result = Render(source, context);
  EXPECT_FALSE(result) << "rendered: " << result->substr(0, 200);
  return result ? "" : result.error().message;
}

// Compares with what Python made of the case: a text, raise_exception's words or some failure.
void ExpectLikePython(const Json& expected, const base::Result<std::string>& result) {
  if (expected.contains("raised")) {
    ASSERT_FALSE(result) << "Python raises, we render: " << *result;
    EXPECT_EQ(result.error().message, expected["raised"].get<std::string>());
  } else if (expected.contains("fails")) {
    ASSERT_FALSE(result) << "Python fails with " << expected["fails"] << ", we render: " << *result;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument) << result.error().message;
    EXPECT_THAT(result.error().message, StartsWith("chat template, line "));
  } else {
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(*result, expected["text"].get<std::string>());
  }
}

TEST(ChatTemplate, SpeaksTheDialectAsPythonDoes) {
  std::istringstream lines(ReadText(kCases / "dialect.jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const Json shared = Json::parse(line)["context"];
  int cases = 0;
  while (std::getline(lines, line)) {
    const Json entry = Json::parse(line);
    const std::string source = entry["template"].get<std::string>();
    SCOPED_TRACE(entry["area"].get<std::string>() + ": " + source);
    ExpectLikePython(entry, Render(source, Joined(shared, entry.value("context", Json::object()))));
    ++cases;
  }
  EXPECT_GT(cases, 500);
}

TEST(ChatTemplate, RendersPublishedTemplatesAsPythonDoes) {
  if (!std::filesystem::exists(kPublished)) {
    GTEST_SKIP() << "the published templates are not here: " << kPublished;
  }
  const Json conversations = Json::parse(ReadText(kCases / "conversations.json"));
  const Json published = Json::parse(ReadText(kCases / "published.json"));
  for (const auto& [name, entry] : published.items()) {
    const std::string source = ReadText(kPublished / name);
    ASSERT_EQ(DigestOfText(source), entry["source"].get<std::string>())
        << name << " has changed; run tests/chat_templates/make_expected.py";
    for (const auto& [conversation, expected] : entry["results"].items()) {
      SCOPED_TRACE(name + ": " + conversation);
      const Json context =
          Joined(conversations["context"], conversations["conversations"][conversation]);
      const auto result = Render(source, context);
      if (!expected.is_array()) {
        if (expected.value("fails", "") == "RecursionError") {
          EXPECT_FALSE(result);
        } else {
          ExpectLikePython(expected, result);
        }
        continue;
      }
      ASSERT_TRUE(result) << result.error().message;
      EXPECT_EQ(result->size(), expected[0].get<std::size_t>()) << *result;
      EXPECT_EQ(DigestOfText(*result), expected[1].get<std::string>()) << *result;
    }
  }
}

TEST(ChatTemplate, EveryPublishedTemplateHasExpectations) {
  if (!std::filesystem::exists(kPublished)) {
    GTEST_SKIP() << "the published templates are not here: " << kPublished;
  }
  const Json published = Json::parse(ReadText(kCases / "published.json"));
  for (const auto& file : std::filesystem::directory_iterator(kPublished)) {
    EXPECT_TRUE(published.contains(file.path().filename().string())) << file.path();
  }
}

TEST(ChatTemplate, RendersOftenFromOneParse) {
  auto parsed = ChatTemplate::Parse(
      "{% set ns = namespace(n=0) %}{% for m in messages %}"
      "{% set ns.n = ns.n + 1 %}{{ m.content }}{% endfor %}{{ ns.n }}");
  ASSERT_TRUE(parsed);
  ChatTemplate moved = std::move(*parsed);
  const Json context = {{"messages", {{{"content", "a"}}, {{"content", "b"}}}}};
  EXPECT_EQ(moved.Render(context).value(), "ab2");
  EXPECT_EQ(moved.Render(context).value(), "ab2");
}

TEST(ChatTemplate, ErrorsNameTheLineAndTheFault) {
  EXPECT_EQ(TemplateRefusal("a\n\n{{ x.y.z }}"), "chat template, line 3: 'x' is undefined");
  EXPECT_EQ(TemplateRefusal("\n{{ {}.a.b }}"),
            "chat template, line 2: 'dict object' has no attribute 'a'");
  EXPECT_EQ(
      TemplateRefusal("\n\n{% if x"),
      "chat template, line 3: unexpected end of template, expected 'end of statement block'.");
  EXPECT_EQ(TemplateRefusal("{{ 'a'|frobnicate }}"),
            "chat template, line 1: No filter named 'frobnicate'.");
  EXPECT_EQ(TemplateRefusal("{{ [].append(1) }}"),
            "chat template, line 1: access to attribute 'append' of 'list' object is unsafe.");
  EXPECT_EQ(TemplateRefusal("{% macro m() %}\n{{ 1 + 'a' }}\n{% endmacro %}\n{{ m() }}"),
            "chat template, line 2: unsupported operand type(s) for +: 'int' and 'str'");
  EXPECT_THAT(TemplateRefusal("{% include 'other' %}"), HasSubstr("must stand alone"));
  EXPECT_THAT(TemplateRefusal("{% for x in y %}"),
              HasSubstr("looking for the following tags: 'endfor'"));
}

TEST(ChatTemplate, RefusesWhatIsNotATemplateOrAContext) {
  EXPECT_THAT(TemplateRefusal("\xff{{ 1 }}"), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(TemplateRefusal(std::string(2 << 20, 'a')), HasSubstr("at most 1048576"));
  EXPECT_THAT(TemplateRefusal("x", Json::array()), HasSubstr("must be a JSON object, not array"));
  EXPECT_THAT(TemplateRefusal("{{ n }}", {{"n", UINT64_MAX}}), HasSubstr("beyond 64 signed bits"));
}

TEST(ChatTemplate, BrokenUtf8InTheContextIsKept) {
  const Json context = {{"s", std::string("a\xff\xe4\xbd")}};
  EXPECT_EQ(Render("{{ s }}", context).value(), "a\xff\xe4\xbd");
  EXPECT_EQ(Render("{{ s|length }}{{ s|upper }}{{ s[1:]|reverse }}", context).value(),
            "4A\xff\xe4\xbd\xbd\xe4\xff");
}

std::string Nested(const std::string& open, const std::string& middle, const std::string& close,
                   int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += open;
  text += middle;
  for (int i = 0; i < times; ++i) text += close;
  return text;
}

TEST(ChatTemplate, RefusesDeepNesting) {
  constexpr int kTimes = 20'000;
  const std::vector<std::string> sources = {
      "{{ " + Nested("(", "1", ")", kTimes) + " }}",
      "{{ " + Nested("[", "", "]", kTimes) + " }}",
      "{{ " + Nested("{1:", "1", "}", kTimes) + " }}",
      "{{ " + Nested("not ", "1", "", kTimes) + " }}",
      "{{ " + Nested("-", "1", "", kTimes) + " }}",
      "{{ " + Nested("1 + ", "1", "", kTimes) + " }}",
      "{{ " + Nested("1 ** ", "1", "", kTimes) + " }}",
      "{{ x" + Nested(".x", "", "", kTimes) + " }}",
      "{{ x" + Nested("[0", "", "]", kTimes) + " }}",
      "{{ x" + Nested("(", "", ")", kTimes) + " }}",
      "{{ x" + Nested("()", "", "", kTimes) + " }}",
      "{{ x" + Nested("|e", "", "", kTimes) + " }}",
      "{{ x" + Nested("|default(1", "", ")", kTimes) + " }}",
      "{{ " + Nested("1 if 1 else ", "1", "", kTimes) + " }}",
      Nested("{% if 1 %}", "", "{% endif %}", kTimes),
      Nested("{% for i in x %}", "", "{% endfor %}", kTimes),
      Nested("{% macro m() %}", "", "{% endmacro %}", kTimes),
      Nested("{% set x %}", "", "{% endset %}", kTimes),
      Nested("{% call x() %}", "", "{% endcall %}", kTimes),
      "{% set " + Nested("(", "a", ",)", kTimes) + " = 1 %}",
  };
  for (const std::string& source : sources) {
    EXPECT_THAT(TemplateRefusal(source), StartsWith("chat template, line 1: "))
        << source.substr(0, 40);
  }
}

TEST(ChatTemplate, LongRowsAreFine) {
  EXPECT_TRUE(Render("{{ 1" + Nested(" or 1", "", "", 5000) + " }}", Json::object()));
  EXPECT_TRUE(Render("{{ 1" + Nested(" ~ 1", "", "", 5000) + " }}", Json::object()));
  EXPECT_TRUE(Render("{{ [1" + Nested(", 1", "", "", 5000) + "] }}", Json::object()));
  EXPECT_TRUE(Render("{{ 1" + Nested(" < 2", "", "", 5000) + " }}", Json::object()));
  EXPECT_TRUE(
      Render("{% if 0 %}" + Nested("{% elif 0 %}a", "", "", 5000) + "{% endif %}", Json::object()));
}

// Each would take more time, memory or stack than any conversation does.
TEST(ChatTemplate, BoundsHostileTemplates) {
  const std::string doubling =
      "{% set ns = namespace(x=START) %}{% for i in range(99999) %}{% set ns.x = STEP %}"
      "{% endfor %}END";
  const auto grown = [&](const std::string& start, const std::string& step,
                         const std::string& end) {
    std::string source = doubling;
    source.replace(source.find("START"), 5, start);
    source.replace(source.find("STEP"), 4, step);
    source.replace(source.find("END"), 3, end);
    return source;
  };
  const std::string deep = grown("[]", "[ns.x]", "{% set y = ns.x %}");
  const std::string shared_parts =
      "{% set ns = namespace(x=(1,), y=(1,)) %}{% for i in range(150) %}"
      "{% set ns.x = (ns.x, ns.x) %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}";
  const std::vector<std::string> sources = {
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% set r = range(100000) %}{% for i in r %}{{ r|sum }}{% endfor %}",
      "{{ 'a' * 1000000000000 }}",
      "{{ [1] * 1000000000000 }}",
      "{{ 'ab' * 100000000 }}",
      grown("'a'", "ns.x ~ ns.x", ""),
      grown("'a'", "ns.x + ns.x", ""),
      grown("[1]", "ns.x + ns.x", ""),
      grown("'a'", "ns.x|replace('a', 'aa')", ""),
      grown("'a'", "ns.x.replace('', ns.x)", ""),
      grown("'a'", "ns.x.join(ns.x ~ 'b')", ""),
      grown("'<'", "ns.x|forceescape", ""),
      grown("'\"'", "ns.x|tojson", ""),
      grown("{}", "{'a': ns.x, 'b': ns.x}", "{{ ns.x }}"),
      grown("namespace(x=1)", "namespace(x=ns.x, y=ns.x)", "{{ ns.x }}"),
      deep + "{{ y }}",
      deep + "{{ y|tojson }}",
      deep + "{{ y == [[y]] }}",
      deep + "{{ y < [[y]] }}",
      grown("()", "(ns.x,)", "{{ {ns.x: 1} }}"),
      shared_parts + "{{ ns.x == ns.y }}",
      shared_parts + "{{ ns.x < ns.y }}",
      shared_parts + "{{ {ns.x: 1} }}",
      shared_parts + "{{ ns.x }}",
      shared_parts + "{{ ns.x|tojson }}",
      shared_parts + "{{ [ns.x, ns.y]|sort }}",
      grown("[1]", "ns.x|map('string')", "{{ ns.x|list }}"),
      grown("[1]", "ns.x|map(attribute='a', default=1)", "{{ ns.x|list }}"),
      grown("[1]", "ns.x|select", "{{ ns.x|list }}"),
      grown("[1]", "ns.x|rejectattr('a')", "{{ ns.x|list }}"),
      grown("[1]", "ns.x|unique", "{{ ns.x|list }}"),
      grown("[1]", "ns.x|batch(1)", "{{ ns.x|list }}"),
      grown("[1]", "[1]|select('in', ns.x)", "{{ ns.x|list }}"),
      grown("[1]", "[ns.x]|map('first')", "{{ ns.x|list }}"),
      // Loops whose last item is not known until the loop before is asked for its own.
      "{% set ns = namespace(x={'last': 1}) %}{% for i in range(99999) %}"
      "{% for y in [{'last': 1}, ns.x]|map(attribute='last') %}{% set ns.x = loop %}{% break %}"
      "{% endfor %}{% endfor %}{{ ns.x.last }}",
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(99999) %}"
      "{% set ns.x = [ns.x.count] %}{% set ns.y = [ns.y.count] %}{% endfor %}"
      "{{ ns.x == ns.y }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '%.1000000000f' % 1 }}",
      "{{ '%99999999999999999999d' % 1 }}",
      "{{ '{:>1000000000}'.format(1) }}",
      "{{ '{:.1000000000f}'.format(1) }}",
      "{{ '{:{}}'.format(1, 1000000000) }}",
      "{{ 'a'|center(1000000000) }}",
      "{{ 'a'.ljust(10000000000) }}",
      "{{ 'a'.zfill(10000000000) }}",
      "{{ '\t'.expandtabs(10000000000) }}",
      "{{ 'a\na'|indent(10000000000) }}",
      "{{ [[1]]|tojson(indent=1000000000) }}",
      "{{ [1]|batch(10000000000, 0)|list }}",
      "{{ [1]|slice(10000000000)|list }}",
      "{{ [1]|slice(10000000000, 0)|list }}",
      "{{ range(1000000000) }}",
      "{{ range(-9223372036854775807, 9223372036854775807, 1) }}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ -9223372036854775807 - 2 }}",
      "{{ 9223372036854775807 * 9223372036854775807 }}",
      "{{ 2 ** 9223372036854775807 }}",
      "{{ 99999999999999999999 }}",
      "{{ '99999999999999999999'|int }}",
      "{{ 1e300|int }}",
      "{{ (-9223372036854775807 - 1)|abs }}",
      "{{ (-9223372036854775807 - 1) // -1 }}",
      "{{ ('a' * 100000000).split('a')|length }}{{ ('a ' * 100000000).split()|length }}",
      "{% set s = 'a' * 60000000 %}{% for i in range(99999) %}{% if 'b' in s %}{% endif %}"
      "{% endfor %}",
      "{% set s = 'a' * 60000000 %}{% for i in range(99999) %}{% set l = s|length %}{% endfor %}",
      "{% set s = 'a' * 60000000 %}{% for i in range(99999) %}{% set l = s[5] %}{% endfor %}",
      "{% set s = 'a' * 60000000 %}{% for i in range(99999) %}{% set l = s.strip() %}{% endfor %}",
      "{% set s = ' ' * 60000000 %}{% for i in range(99999) %}{% set l = s|trim %}{% endfor %}",
      "{% set s = 'a' * 60000000 %}{% for i in range(99999) %}{% set l = s == s ~ '' %}{% endfor "
      "%}",
  };
  for (const std::string& source : sources) {
    EXPECT_THAT(TemplateRefusal(source), StartsWith("chat template, line ")) << source;
  }
}

// As doubles, a thousand of these integers are one.
TEST(ChatTemplate, LargeIntegersAreKeysApart) {
  EXPECT_EQ(Render("{% set ns = namespace(n=0) %}"
                   "{% set d = dict.fromkeys(range(9223372036854675807, 9223372036854775807)) %}"
                   "{% for k in d %}{% if k in d %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}"
                   "{{ d|length }} {{ ns.n }}",
                   Json::object())
                .value(),
            "100000 100000");
}

TEST(ChatTemplate, ChargesForKeysThatCollide) {
  EXPECT_THAT(TemplateRefusal("{% set d = dict.fromkeys([('nan'|float)] * 99999) %}"),
              HasSubstr("more than 50000000 steps"));
}

TEST(ChatTemplate, SetsAKeyThatIsThere) {
  EXPECT_EQ(Render("{% set pairs = range(99998)|batch(2)|list %}"
                   "{% set d = dict(pairs + pairs + [[40, 'x']]) %}"
                   "{{ d|length }} {{ d[38] }} {{ d[40] }} {{ {1: 2, 3: 4, 1: 5} }}",
                   Json::object())
                .value(),
            "49999 39 x {1: 5, 3: 4}");
}

TEST(ChatTemplate, EqualNumbersAreOneKey) {
  EXPECT_EQ(Render("{{ {1: 'a', 1.0: 'b', true: 'c'} }}{{ {0: 'a', -0.0: 'b', false: 'c'} }}"
                   "{{ {9007199254740993: 1}[9007199254740992.0] is defined }}"
                   "{{ {9007199254740992: 1}[9007199254740992.0] }}"
                   "{{ {2.5: 1}[2.5] }}{{ {-3: 1}[-3.0] }}"
                   "{{ {9223372036854775807: 1}[9223372036854775808.0] is defined }}",
                   Json::object())
                .value(),
            "{1: 'c'}{0: 'c'}False111False");
}

TEST(ChatTemplate, SurvivesCyclesAndOddities) {
  // A namespace that holds itself, printed and compared, and macros that hold each other's frames.
  EXPECT_FALSE(Render("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", Json::object()));
  EXPECT_EQ(Render("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x == ns.x }}"
                   "{% macro m() %}x{% endmacro %}{% set ns.m = m %}{{ ns.m() }}",
                   Json::object())
                .value(),
            "Truex");
  EXPECT_EQ(Render("{{ (-9223372036854775807 - 1) % -1 }}{{ range(5, -9223372036854775807,"
                   " -9223372036854775807)|list|length }}",
                   Json::object())
                .value(),
            "02");
  EXPECT_EQ(Render("{{ 'abc'[9223372036854775807:] }}{{ 'abc'[::9223372036854775807] }}"
                   "{{ 'abc'[-9223372036854775807::-9223372036854775807] }}",
                   Json::object())
                .value(),
            "a");
}

TEST(ChatTemplate, RefusesADeepContext) {
  Json nested = 1;
  for (int i = 0; i < 500; ++i) nested = Json::array({nested});
  EXPECT_THAT(TemplateRefusal("{{ x|length }}", {{"x", nested}}), HasSubstr("nested deeper"));
}

}  // namespace
}  // namespace switchyard::model
