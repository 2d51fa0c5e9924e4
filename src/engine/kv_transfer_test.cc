// Cached beginnings of texts that move from one engine to another, between chips and page sizes,
// with too few pages, beside requests that run, and at engines that are lost or gone.
#include "engine/kv_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "engine/batch_engine.h"
#include "engine/replicas.h"
#include "tests/support/loaded_model.h"
#include "tests/support/recording_listener.h"

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using test_support::Load;
using test_support::Loaded;
using test_support::PluginOf;
using test_support::RecordingListener;
using test_support::Text;
using testing::HasSubstr;

constexpr RunnerOptions kRoomyForTransfer{
    .context_tokens = 128, .sequences = 4, .chunk_tokens = 32, .page_size = 16};
constexpr std::uint64_t kAnyBytes = 64 << 20;

CompletionRequest Ask(std::vector<TokenId> prompt, std::int64_t max_tokens = 12) {
  CompletionRequest request;
  request.prompt = std::move(prompt);
  request.sampling.seed = 7;
  request.sampling.temperature = 0.9F;
  request.max_tokens = max_tokens;
  return request;
}

struct Answered {
  std::vector<TokenId> tokens;
  std::string text;
  CompletionSummary summary;
};

Answered Complete(CompletionService& engine, const CompletionRequest& request) {
  auto listener = std::make_shared<RecordingListener>();
  const auto id = engine.Submit(request, listener);
  EXPECT_TRUE(id) << id.error().message;
  CompletionSummary summary = listener->Wait();
  return {listener->tokens(), listener->text(), std::move(summary)};
}

base::Result<KvExported> Export(KvTransfer& engine, std::vector<TokenId> tokens,
                                std::int64_t first_token = 0,
                                std::uint64_t most_bytes = kAnyBytes) {
  std::promise<base::Result<KvExported>> promise;
  engine.ExportKv({.model = std::string(64, 'a'),
                   .tokens = std::move(tokens),
                   .first_token = first_token,
                   .most_bytes = most_bytes},
                  [&](base::Result<KvExported> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

base::Result<KvImported> Import(KvTransfer& engine, std::string bytes) {
  auto pages = KvPages::Parse(std::move(bytes));
  if (!pages) return std::unexpected(pages.error());
  std::promise<base::Result<KvImported>> promise;
  engine.ImportKv(std::move(*pages),
                  [&](base::Result<KvImported> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

// An engine on a chip of its own.
struct Member {
  Member(const std::string& chip, const RunnerOptions& options, BatchEngineOptions batching = {},
         std::uint32_t index = 0, std::vector<device::DeviceOption> device_options = {}) {
    auto one = Load(chip, options, index, std::move(device_options));
    EXPECT_TRUE(one) << one.error().message;
    loaded = std::move(*one);
    engine = std::make_unique<BatchEngine>(*loaded->runner, loaded->model->tokenizer(), batching);
  }
  BatchEngine& operator*() const { return *engine; }
  BatchEngine* operator->() const { return engine.get(); }

  std::unique_ptr<Loaded> loaded;
  std::unique_ptr<BatchEngine> engine;
};

// From the first chip to the second.
class KvTransferBetween : public testing::TestWithParam<std::pair<std::string, std::string>> {
 protected:
  void SetUp() override {
    for (const std::string& chip : {GetParam().first, GetParam().second}) {
      if (!std::filesystem::exists(PluginOf(chip))) GTEST_SKIP() << chip << " is not built";
    }
  }
};

TEST_P(KvTransferBetween, AnAnswerThatWasCutGoesOnElsewhereWithItsPrefixCached) {
  const Member from(GetParam().first, kRoomyForTransfer);
  const Member to(GetParam().second, kRoomyForTransfer);
  const CompletionRequest request = Ask(Text(70, 5), 40);
  const Answered whole = Complete(*from, request);
  ASSERT_EQ(whole.tokens.size(), 40U);

  CompletionRequest rest = request;
  rest.resumed.assign(whole.tokens.begin(), whole.tokens.begin() + 20);
  std::vector<TokenId> text = request.prompt;
  text.insert(text.end(), rest.resumed.begin(), rest.resumed.end());
  const auto exported = Export(*from, text);
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_EQ(exported->cached_tokens, 80);  // of 90, in pages of 16
  EXPECT_EQ(exported->next_token, 80);
  const auto imported = Import(*to, exported->bytes);
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->imported_tokens, 80);
  EXPECT_EQ(imported->cached_tokens, 80);
  EXPECT_EQ(to->CachedTokens(text), 80);
  // What went in comes out, bit for bit.
  EXPECT_EQ(Export(*to, text)->bytes, exported->bytes);

  const Answered after = Complete(*to, rest);
  EXPECT_EQ(after.summary.cached_prompt_tokens, 70);  // the prompt's part of them
  EXPECT_EQ(to->Status().kv_pages_in_use, 0);
  if (GetParam().first != GetParam().second) return;  // else equal as their certificate says
  std::vector<TokenId> all = rest.resumed;
  all.insert(all.end(), after.tokens.begin(), after.tokens.end());
  EXPECT_EQ(all, whole.tokens);
  ASSERT_LE(after.text.size(), whole.text.size());
  EXPECT_EQ(whole.text.substr(whole.text.size() - after.text.size()), after.text);
}

TEST_P(KvTransferBetween, PageSizesMayDiffer) {
  RunnerOptions large = kRoomyForTransfer;
  large.page_size = 32;
  const std::vector<TokenId> text = Text(100, 5);
  for (const bool from_large : {false, true}) {
    const Member from(GetParam().first, from_large ? large : kRoomyForTransfer);
    const Member to(GetParam().second, from_large ? kRoomyForTransfer : large);
    Complete(*from, Ask(text));
    const auto exported = Export(*from, text);
    ASSERT_TRUE(exported) << exported.error().message;
    EXPECT_EQ(exported->cached_tokens, 96);
    const auto imported = Import(*to, exported->bytes);
    ASSERT_TRUE(imported) << imported.error().message;
    EXPECT_EQ(imported->cached_tokens, 96);
    // There and back again.
    const Member back(GetParam().first, from_large ? large : kRoomyForTransfer);
    ASSERT_TRUE(Import(*back, Export(*to, text)->bytes));
    EXPECT_EQ(Export(*back, text)->bytes, exported->bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Chips, KvTransferBetween,
                         testing::Values(std::pair("reference", "reference"),
                                         std::pair("cpu", "cpu"), std::pair("reference", "cpu"),
                                         std::pair("cpu", "reference")),
                         [](const auto& given) {
                           return given.param.first + "_to_" + given.param.second;
                         });

TEST(KvTransfer, MovesInPieces) {
  const Member from("reference", kRoomyForTransfer);
  const Member to("reference", kRoomyForTransfer);
  const std::vector<TokenId> text = Text(96, 5);
  Complete(*from, Ask(text));
  const std::uint64_t page = from.loaded->runner->kv_shape().PageBytes();
  std::int64_t next = 0;
  int pieces = 0;
  for (; next < 96; ++pieces) {
    const auto piece = Export(*from, text, next, 2 * page + 1024);
    ASSERT_TRUE(piece) << piece.error().message;
    EXPECT_LE(piece->bytes.size(), 2 * page + 1024);
    EXPECT_EQ(piece->exported_tokens, 32);
    EXPECT_EQ(piece->cached_tokens, 96);  // the last full page too
    const auto imported = Import(*to, piece->bytes);
    ASSERT_TRUE(imported) << imported.error().message;
    EXPECT_EQ(imported->cached_tokens, piece->next_token);
    next = imported->cached_tokens;
  }
  EXPECT_EQ(pieces, 3);
  const auto end = Export(*from, text, 96);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kNotFound);
  const auto tight = Export(*from, text, 0, page);
  ASSERT_FALSE(tight);
  EXPECT_THAT(tight.error().message, HasSubstr("are allowed"));
  // Once more: nothing is new.
  EXPECT_EQ(Import(*to, Export(*from, text)->bytes)->imported_tokens, 0);
  // A piece without those before it.
  const Member empty("reference", kRoomyForTransfer);
  const auto gap = Import(*empty, Export(*from, text, 32)->bytes);
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(gap.error().message, HasSubstr("import from token 0 on"));
}

TEST(KvTransfer, RefusesWhatDoesNotFit) {
  const Member from("reference", kRoomyForTransfer);
  const std::vector<TokenId> text = Text(40, 5);
  Complete(*from, Ask(text));
  const std::string bytes = Export(*from, text)->bytes;
  RunnerOptions f32 = kRoomyForTransfer;
  f32.kv_dtype = tensor::DType::kF32;
  const Member other("reference", f32);
  EXPECT_THAT(Import(*other, bytes).error().message, HasSubstr("hold f16"));
  EXPECT_EQ(other->CachedTokens(text), 0);

  const auto pages = KvPages::Parse(bytes);
  ASSERT_TRUE(pages);
  KvPagesHead head = pages->head();
  head.tokens.front() = 1'000'000;
  KvPagesWriter writer(head);
  for (std::int64_t i = 0; i < head.shape.pages; ++i) writer.NextPage();
  EXPECT_THAT(Import(*from, writer.Finish()).error().message, HasSubstr("the vocabulary has"));

  const Member uncached("reference", kRoomyForTransfer, {.prefix_cache = false});
  EXPECT_EQ(Import(*uncached, bytes).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Export(*uncached, text).error().code, ErrorCode::kFailedPrecondition);
}

// Requests that run keep their pages, and what is cached goes, the least recently used first.
TEST(KvTransfer, NeverTakesPagesInUse) {
  const Member from("reference", kRoomyForTransfer);
  RunnerOptions tight = kRoomyForTransfer;
  tight.pages = 6;
  const Member to("reference", tight);
  const std::vector<TokenId> text = Text(96, 5);
  Complete(*from, Ask(text, 2));
  Complete(*to, Ask(Text(64, 3), 2));  // leaves four pages in the cache
  EXPECT_EQ(to->Status().kv_pages_cached, 4);
  EXPECT_EQ(Import(*to, Export(*from, text)->bytes)->cached_tokens, 96);
  EXPECT_EQ(to->CachedTokens(Text(64, 3)), 0);
  const std::vector<TokenId> longer = Text(120, 5);
  Complete(*from, Ask(longer, 2));
  const auto imported = Import(*to, Export(*from, longer)->bytes);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(imported.error().message, HasSubstr("but the 96 tokens"));
  const ServiceStatus status = to->Status();
  EXPECT_EQ(status.kv_pages_in_use, 0);
  EXPECT_EQ(status.kv_pages_cached, 6);

  const CompletionRequest request = Ask(Text(20, 9), 60);  // grows to five of the six
  const Answered alone = Complete(*from, request);
  auto listener = std::make_shared<RecordingListener>();
  ASSERT_TRUE(to->Submit(request, listener));
  const std::string bytes = Export(*from, text)->bytes;
  for (int i = 0; i < 20; ++i) {
    if (const auto beside = Import(*to, bytes); !beside) {
      EXPECT_EQ(beside.error().code, ErrorCode::kResourceExhausted);
    }
  }
  EXPECT_EQ(listener->Wait().end, CompletionEnd::kLength);
  EXPECT_EQ(listener->tokens(), alone.tokens);
}

// Texts do not change by what is moved beside them.
TEST(KvTransfer, RunsBesideRequests) {
  const Member from("cpu", kRoomyForTransfer);
  const Member to("cpu", kRoomyForTransfer);
  const std::vector<TokenId> text = Text(110, 7);
  Complete(*from, Ask(text, 2));
  std::vector<Answered> alone;
  for (int i = 0; i < 6; ++i) alone.push_back(Complete(*from, Ask(Text(20 + i, 3 + i), 40)));
  std::vector<std::shared_ptr<RecordingListener>> listeners;
  for (int i = 0; i < 6; ++i) {
    listeners.push_back(std::make_shared<RecordingListener>());
    ASSERT_TRUE(to->Submit(Ask(Text(20 + i, 3 + i), 40), listeners.back()));
  }
  const std::string bytes = Export(*from, text)->bytes;
  for (int i = 0; i < 4; ++i) {
    const auto imported = Import(*to, bytes);
    ASSERT_TRUE(imported) << imported.error().message;
    EXPECT_EQ(imported->cached_tokens, 96);
    EXPECT_EQ(Export(*to, text)->bytes, bytes);
  }
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    EXPECT_EQ(listeners[i]->Wait().end, CompletionEnd::kLength);
    EXPECT_EQ(listeners[i]->tokens(), alone[i].tokens);
  }
}

TEST(KvTransfer, EndsWithItsEngine) {
  const Member from("reference", kRoomyForTransfer);
  const std::vector<TokenId> text = Text(40, 5);
  Complete(*from, Ask(text));
  const std::string bytes = Export(*from, text)->bytes;
  from->Stop();
  EXPECT_EQ(Export(*from, text).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Import(*from, bytes).error().code, ErrorCode::kUnavailable);
}

TEST(KvTransfer, ALostChipRefuses) {
  const Member from("reference", kRoomyForTransfer);
  const std::vector<TokenId> text = Text(40, 5);
  Complete(*from, Ask(text));
  const std::string bytes = Export(*from, text)->bytes;
  const Member lost("null", kRoomyForTransfer, {}, 1, {{"lose_device_after", "1"}});
  EXPECT_EQ(Import(*lost, bytes)->cached_tokens, 32);
  EXPECT_EQ(Complete(*lost, Ask(Text(50, 3))).summary.end, CompletionEnd::kFailed);
  EXPECT_EQ(Import(*lost, bytes).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Export(*lost, text).error().code, ErrorCode::kUnavailable);
}

TEST(KvTransfer, OfReplicasTheOneThatHasMostGivesAndTheOneThatHasTheRestTakes) {
  std::vector<std::unique_ptr<Loaded>> loaded;
  std::vector<std::unique_ptr<BatchEngine>> engines;
  for (int i = 0; i < 2; ++i) {
    auto one = Load("reference", kRoomyForTransfer);
    ASSERT_TRUE(one) << one.error().message;
    loaded.push_back(std::move(*one));
    engines.push_back(std::make_unique<BatchEngine>(
        *loaded.back()->runner, loaded.back()->model->tokenizer(), BatchEngineOptions{}));
  }
  BatchEngine& second = *engines[1];
  const std::vector<TokenId> text = Text(96, 5);
  Complete(second, Ask(text, 2));
  Replicas both(std::move(engines), {});
  const auto exported = Export(both, text);
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_EQ(exported->cached_tokens, 96);

  const Member from("reference", kRoomyForTransfer);
  const std::vector<TokenId> longer = Text(120, 5);
  Complete(*from, Ask(longer, 2));
  const auto imported = Import(both, Export(*from, longer, 96)->bytes);
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->imported_tokens, 16);
  EXPECT_EQ(second.CachedTokens(longer), 112);
}

}  // namespace
}  // namespace switchyard::engine
