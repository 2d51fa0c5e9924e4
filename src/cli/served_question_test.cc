#include "cli/served_question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

TEST(ServedQuestion, ReadsEventsInWhateverPartsTheyCome) {
  const std::string stream = ": keep-alive\n\ndata: {\"a\":1}\n\ndata: two\r\n\r\ndata: [DONE]\n\n";
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    EventReader reader;
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      reader.Read(std::string_view(stream).substr(at, size),
                  [&](std::string_view data) { seen.emplace_back(data); });
    }
    EXPECT_THAT(seen, testing::ElementsAre("{\"a\":1}", "two", "[DONE]")) << size;
  }
}

TEST(ServedQuestion, ShowsALineThatAShellTakes) {
  const ServerAddress server{"http://127.0.0.1:8080", "m", "sk-secret", ""};
  const std::string line = CurlLine(server, QuestionBody("m", "What's \"new\"?", false));
  EXPECT_EQ(line,
            "curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' "
            "-H 'Authorization: Bearer YOUR_KEY' -d "
            R"('{"model":"m","messages":[{"role":"user","content":"What'\''s \"new\"?"}]}')");
}

TEST(ServedQuestion, SaysSoIfNobodyAnswers) {
  // Port 9 is discard's, which nobody runs.
  const auto answer = AskServer({"http://127.0.0.1:9", "m", "", ""}, "{}",
                                [](std::string_view) { return true; });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace switchyard::cli
