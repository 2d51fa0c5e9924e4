#include "protocol/answer_parser.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>

#include "protocol/choice_writer.h"
#include "protocol/json_scanner.h"
#include "protocol/tool_formats/tool_formats.h"

namespace switchyard::protocol {
namespace {

using base::Json;

const ToolFormat* FormatNamed(std::string_view name) {
  for (const ToolFormat* format : {&HermesFormat(), &QwenCoderFormat(), &LlamaJsonFormat(),
                                   &MistralFormat(), &DeepSeekFormat(), &KimiFormat()}) {
    if (format->name == name) return format;
  }
  return nullptr;
}

Tool MakeTool(const std::string& name, Json properties) {
  return {.name = name,
          .definition = {{"type", "function"},
                         {"function",
                          {{"name", name},
                           {"parameters",
                            {{"type", "object"}, {"properties", std::move(properties)}}}}}}};
}

struct Case {
  std::string line;
  ChoiceForm form;
  bool is_cut = false;
  std::string text;
  Json expected;
};

std::vector<Case> ReadCases() {
  const auto tools = std::make_shared<std::vector<Tool>>();
  tools->push_back(MakeTool("get_weather", {{"city", {{"type", "string"}}},
                                            {"days", {{"type", "integer"}}},
                                            {"where", {{"type", "object"}}}}));
  tools->push_back(MakeTool("now", Json::object()));
  std::ifstream file("tests/protocol/tool_calls.txt");
  std::vector<Case> cases;
  for (std::string line, expected; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::getline(file, expected);
    Case one{.line = line, .form = {}, .text = {}, .expected = Json::parse(expected)};
    const std::size_t quote = line.find('"');
    one.text = Json::parse(line.substr(quote)).get<std::string>();
    std::istringstream words(line.substr(0, quote));
    AnswerForm& form = one.form.answer;
    form.tools = tools;
    for (std::string word; words >> word;) {
      if (word == "+think") {
        form.reasoning = {"<think>", "</think>"};
      } else if (word == "+open") {
        form.begins_in_reasoning = true;
      } else if (word == "+one") {
        form.max_calls = 1;
      } else if (word == "+cut") {
        one.is_cut = true;
      } else {
        form.format = FormatNamed(word);
      }
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

// As the expectations are written.
Json Shown(const Choice& choice, Finish finish) {
  Json shown = Json::object();
  if (!choice.reasoning.empty()) shown["reasoning"] = choice.reasoning;
  if (!choice.text.empty()) shown["content"] = choice.text;
  for (const ToolCall& call : choice.calls) {
    shown["calls"].push_back(Json::array({call.name, call.arguments}));
  }
  shown["finish"] = finish == Finish::kLength      ? "length"
                    : finish == Finish::kToolCalls ? "tool_calls"
                                                   : "stop";
  return shown;
}

std::uint64_t NoBits() { return 0; }

// What a client puts together from a stream.
struct Assembled {
  Choice choice;
  bool is_regular = true;  // each call begins once, with its name, before its arguments

  void Add(const std::vector<Choice>& parts) {
    for (const Choice& part : parts) {
      choice.text += part.text;
      choice.reasoning += part.reasoning;
      for (const ToolCall& call : part.calls) {
        const auto count = static_cast<std::int32_t>(choice.calls.size());
        if (!call.id.empty()) {
          is_regular = is_regular && call.index == count && !call.name.empty() &&
                       call.arguments.empty();
          choice.calls.push_back(call);
        } else {
          is_regular = is_regular && call.index == count - 1 && call.name.empty();
          if (count > 0) choice.calls.back().arguments += call.arguments;
        }
      }
    }
  }
};

Json Collected(const Case& one, std::size_t piece) {
  ChoiceWriter writer(one.form, NoBits);
  Choice whole;
  for (std::size_t at = 0; at < one.text.size(); at += piece) {
    writer.Collect(std::string_view(one.text).substr(at, piece), whole);
  }
  writer.EndCollect(one.is_cut, whole);
  return Shown(whole, writer.FinishOf(one.is_cut));
}

TEST(AnswerParser, TakesAnswersApartAsTheCasesSay) {
  const auto cases = ReadCases();
  ASSERT_GT(cases.size(), 45U);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.line);
    Json expected = one.expected;
    const Json got = Collected(one, one.text.size());
    // Objects compare with their order; the cases have none.
    EXPECT_EQ(Json::diff(expected, got), Json::array()) << got;
    EXPECT_EQ(Collected(one, 1), got);
    EXPECT_EQ(Collected(one, 7), got);
  }
}

TEST(AnswerParser, StreamsWhatItCollects) {
  for (const Case& one : ReadCases()) {
    SCOPED_TRACE(one.line);
    ChoiceWriter writer(one.form, NoBits);
    Assembled streamed;
    for (const char byte : one.text) streamed.Add(writer.Stream({&byte, 1}));
    streamed.Add(writer.EndStream(one.is_cut));
    EXPECT_TRUE(streamed.is_regular);
    const Json got = Shown(streamed.choice, writer.FinishOf(one.is_cut));
    // A call that broke was told in part already; the table's cases have it back in the content.
    if (got.value("calls", Json()).size() > one.expected.value("calls", Json()).size()) {
      EXPECT_EQ(got["finish"], one.expected["finish"]);
      continue;
    }
    EXPECT_EQ(Json::diff(one.expected, got), Json::array()) << got;
  }
}

TEST(AnswerParser, PassesArgumentsOnAsTheyCome) {
  AnswerForm form;
  form.format = &HermesFormat();
  ChoiceWriter writer({.answer = form}, NoBits);
  EXPECT_TRUE(writer.Stream("<tool_call>\n{\"name\": \"f").empty());
  const auto begun = writer.Stream("\", \"argu");
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].calls[0].name, "f");
  EXPECT_EQ(begun[0].calls[0].id.size(), 29U);
  EXPECT_TRUE(writer.Stream("ments\": ").empty());
  EXPECT_EQ(writer.Stream("{\"a\": 1").at(0).calls[0].arguments, "{\"a\": 1");
  EXPECT_EQ(writer.Stream("}").at(0).calls[0].arguments, "}");
  EXPECT_TRUE(writer.Stream("}\n</tool").empty());
  EXPECT_TRUE(writer.EndStream(true).empty());
}

TEST(AnswerParser, OfABrokenCallAStreamGetsTheRestAsContent) {
  AnswerForm form;
  form.format = &HermesFormat();
  ChoiceWriter writer({.answer = form}, NoBits);
  Assembled streamed;
  streamed.Add(writer.Stream("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": oops}}</tool_call>"));
  streamed.Add(writer.EndStream(false));
  EXPECT_EQ(streamed.choice.calls.at(0).arguments, "{\"a\": ");
  EXPECT_EQ(streamed.choice.text, "oops}}</tool_call>");
  EXPECT_EQ(writer.FinishOf(false), Finish::kStop);
}

TEST(AnswerParser, AResumedAnswerGoesOnWhereItStopped) {
  AnswerForm form;
  form.format = &MistralFormat();
  const std::string text = "Hm. [TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": [1, 2]}}]";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ChoiceWriter first({.answer = form}, NoBits);
    ChoiceWriter second({.answer = form}, NoBits);
    Assembled streamed;
    streamed.Add(first.Stream(text.substr(0, cut)));
    second.Resume(text.substr(0, cut));
    streamed.Add(second.Stream(text.substr(cut)));
    streamed.Add(second.EndStream(false));
    EXPECT_TRUE(streamed.is_regular);
    EXPECT_EQ(streamed.choice.text, "Hm.");
    ASSERT_EQ(streamed.choice.calls.size(), 1U);
    EXPECT_EQ(streamed.choice.calls[0].arguments, "{\"a\": [1, 2]}");
    EXPECT_EQ(second.FinishOf(false), Finish::kToolCalls);
  }
}

// Texts that come near to what the formats mean.
rc::Gen<std::string> NearlyCalls() {
  const auto piece = rc::gen::element<std::string>(
      "<tool_call>", "</tool_call>", "<tool_", "{\"name\": \"now\", \"arguments\": ", "{\"name\":",
      "\"now\"", "{}", "{\"a\": \"", "\"}", "}", "{", "[", "]", ",", ";", "\n", " ", "<function=now>",
      "<parameter=city>", "</parameter>", "</function>", "[TOOL_CALLS]", "now[ARGS]", "<|python_tag|>",
      "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "function<｜tool▁sep｜>now\n```json\n",
      "<｜tool▁call▁end｜>", "<think>", "</think>", "text", "é", "1.5", "null", "\\\"");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& pieces) {
    std::string text;
    for (const auto& one : pieces) text += one;
    return text;
  });
}

AnswerForm AnyForm() {
  AnswerForm form;
  form.format = FormatNamed(*rc::gen::element<std::string>("hermes", "qwen_coder", "llama_json",
                                                           "mistral", "deepseek", "kimi"));
  const auto tools = std::make_shared<std::vector<Tool>>();
  tools->push_back(MakeTool("now", {{"city", {{"type", "string"}}}}));
  form.tools = tools;
  if (*rc::gen::arbitrary<bool>()) form.reasoning = {"<think>", "</think>"};
  return form;
}

RC_GTEST_PROP(AnswerParserProperty, DoesNotDependOnHowTheTextIsCut, ()) {
  const std::string text = *NearlyCalls();
  const ChoiceForm form{.answer = AnyForm()};
  const bool is_cut = *rc::gen::arbitrary<bool>();
  ChoiceWriter at_once(form, NoBits);
  Assembled whole;
  whole.Add(at_once.Stream(text));
  whole.Add(at_once.EndStream(is_cut));
  ChoiceWriter in_pieces(form, NoBits);
  Assembled pieces;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = *rc::gen::inRange<std::size_t>(1, 9);
    pieces.Add(in_pieces.Stream(std::string_view(text).substr(at, length)));
    at += length;
  }
  pieces.Add(in_pieces.EndStream(is_cut));
  RC_ASSERT(whole.is_regular && pieces.is_regular);
  RC_ASSERT(Shown(whole.choice, at_once.FinishOf(is_cut)) ==
            Shown(pieces.choice, in_pieces.FinishOf(is_cut)));
}

RC_GTEST_PROP(AnswerParserProperty, WholeCallsHaveObjectsAsArguments, ()) {
  const std::string text = *NearlyCalls();
  ChoiceWriter writer({.answer = AnyForm()}, NoBits);
  Choice whole;
  writer.Collect(text, whole);
  writer.EndCollect(false, whole);
  for (const ToolCall& call : whole.calls) {
    RC_ASSERT(!call.name.empty());
    RC_ASSERT(Json::parse(call.arguments).is_object());
  }
}

RC_GTEST_PROP(AnswerParserProperty, WithoutCallsNothingIsLost, ()) {
  const std::string text = *NearlyCalls();
  AnswerForm form = AnyForm();
  form.reasoning.reset();
  ChoiceWriter writer({.answer = form}, NoBits);
  Choice whole;
  writer.Collect(text, whole);
  writer.EndCollect(false, whole);
  if (whole.calls.empty()) RC_ASSERT(whole.text == text);
}

// Any JSON value, and a text that is nearly one.
rc::Gen<std::string> JsonLike() {
  const auto piece = rc::gen::element<std::string>("{", "}", "[", "]", "\"a\"", ":", ",", "1", "-0",
                                                   "0.5e-7", "true", "null", " ", "\"\\u00e9\\n\"", "\"");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& pieces) {
    std::string text;
    for (const auto& one : pieces) text += one;
    return text;
  });
}

RC_GTEST_PROP(JsonScannerProperty, AcceptsWhatAParserAccepts, ()) {
  // In a list, so that numbers have an end.
  const std::string text = "[" + *JsonLike() + "]";
  JsonScanner scanner;
  std::size_t read = 0;
  auto step = JsonScanner::Step::kMore;
  while (read < text.size() && step == JsonScanner::Step::kMore) step = scanner.Push(text[read++]);
  const bool is_whole = step == JsonScanner::Step::kDone && read == text.size();
  RC_ASSERT(is_whole == Json::accept(text));
  // Each beginning of JSON is taken: what is not broken can be completed.
  if (step == JsonScanner::Step::kBroken) RC_ASSERT(!Json::accept(text));
}

}  // namespace
}  // namespace switchyard::protocol
