// Every architecture against PyTorch transformers: tiny random models and their float32 logits,
// made by tests/goldens/make_architectures.py, run on chips through the chip interface.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>

#include "model/safetensors.h"
#include "tests/model/paged_model.h"

namespace switchyard::tests {
namespace {

const std::filesystem::path kGoldens = "tests/goldens/architectures";

std::filesystem::path Plugin(const std::string& chip) {
  return std::filesystem::path(SWITCHYARD_CHIP_DIR) / ("switchyard_chip_" + chip + ".so");
}

template <typename T>
std::vector<T> Numbers(const model::SafetensorsTensor& tensor) {
  std::vector<T> numbers(tensor.data.size() / sizeof(T));
  std::memcpy(numbers.data(), tensor.data.data(), numbers.size() * sizeof(T));
  return numbers;
}

// A text and what transformers says of it.
struct Case {
  PagedModel::Sequence sequence;
  std::vector<float> logits;  // [tokens, vocabulary]
};

class Architectures : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    const auto& [golden, chip] = GetParam();
    if (!std::filesystem::exists(Plugin(chip))) {
      GTEST_SKIP() << "chip '" << chip << "' was not built";
    }
    std::filesystem::path path = kGoldens / golden;
    auto expected = model::SafetensorsWeights::Open(path / "expected.safetensors");
    ASSERT_TRUE(expected) << expected.error().message;
    for (int i = 0;; ++i) {
      const auto* tokens = expected->FindTensor("tokens." + std::to_string(i));
      const auto* logits = expected->FindTensor("logits." + std::to_string(i));
      if (tokens == nullptr || logits == nullptr) break;
      Case& added = cases_.emplace_back();
      added.sequence.tokens = Numbers<std::int32_t>(*tokens);
      added.logits = Numbers<float>(*logits);
    }
    ASSERT_EQ(cases_.size(), 3U);
    if (std::filesystem::exists(path / "model.gguf")) path /= "model.gguf";
    auto opened = PagedModel::Open(path, {.plugin = Plugin(chip)});
    ASSERT_TRUE(opened) << opened.error().message;
    model_ = std::move(*opened);
    // The reference computes in float32. Other chips may round activations to what they multiply
    // fastest: to BF16 (8 bits) beside BF16 weights, to more bits beside other types.
    tolerance_ = chip == "reference" ? 1e-3F : HasBf16Weights() ? 0.1F : 5e-3F;
  }

  bool HasBf16Weights() const {
    const device::WeightTable& table = model_->weights().table();
    for (ops::WeightIndex i = 0; i < table.size(); ++i) {
      if (table.at(i).dtype == tensor::DType::kBF16) return true;
    }
    return false;
  }

  static std::vector<std::int64_t> AllRows(std::int64_t count) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = i;
    return rows;
  }

  std::int64_t Left(std::size_t i) const {
    return std::ssize(cases_[i].sequence.tokens) - cases_[i].sequence.cached;
  }

  // The next `count` tokens of text i.
  PagedModel::Item Next(std::size_t i, std::int64_t count, std::vector<std::int64_t> rows) {
    return {&cases_[i].sequence, count, std::move(rows)};
  }

  // Runs one pass and compares every row of logits that it asks for.
  void RunAndCompare(const std::vector<PagedModel::Item>& items) {
    std::vector<std::int64_t> first;
    for (const PagedModel::Item& item : items) first.push_back(item.sequence->cached);
    const auto logits = model_->Step(items);
    ASSERT_TRUE(logits) << logits.error().message;
    const auto vocabulary = static_cast<std::size_t>(model_->config().vocabulary);
    const float* actual = logits->data();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto owner = std::ranges::find_if(
          cases_, [&](const Case& one) { return &one.sequence == items[i].sequence; });
      for (const std::int64_t row : items[i].rows) {
        const std::int64_t position = first[i] + row;
        const float* expected =
            owner->logits.data() + static_cast<std::size_t>(position) * vocabulary;
        float worst = 0.0F;
        for (std::size_t v = 0; v < vocabulary; ++v) {
          const float difference = std::abs(actual[v] - expected[v]);
          worst = std::isnan(difference) ? difference : std::max(worst, difference);
          if (std::isnan(worst)) break;
        }
        EXPECT_LE(worst, tolerance_)
            << "text " << owner - cases_.begin() << ", position " << position;
        worst_ = std::max(worst_, worst);
        actual += vocabulary;
      }
    }
    RecordProperty("worst", std::to_string(worst_));
  }

  std::vector<Case> cases_;
  std::unique_ptr<PagedModel> model_;
  float tolerance_ = 0.0F;
  float worst_ = 0.0F;
};

TEST_P(Architectures, PrefillsWholeTexts) {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    RunAndCompare({Next(i, Left(i), AllRows(Left(i)))});
  }
}

TEST_P(Architectures, PrefillsInUnevenChunks) {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    for (std::int64_t chunk = 7; Left(i) > 0; ++chunk) {
      const std::int64_t count = std::min(chunk, Left(i));
      RunAndCompare({Next(i, count, AllRows(count))});
    }
  }
}

TEST_P(Architectures, DecodesStepByStep) {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    while (Left(i) > 0) RunAndCompare({Next(i, 1, {0})});
  }
}

TEST_P(Architectures, PrefillsSeveralTextsAtOnce) {
  RunAndCompare({Next(0, Left(0), {0, 11, Left(0) - 1}), Next(1, Left(1), {Left(1) - 1}),
                 Next(2, Left(2), {Left(2) - 1})});
}

TEST_P(Architectures, DecodesABatchOfDifferentLengths) {
  RunAndCompare({Next(0, 9, {8}), Next(1, 3, {2})});
  while (Left(1) > 0) RunAndCompare({Next(1, 1, {0}), Next(0, 1, {0})});
}

TEST_P(Architectures, MixesPrefillAndDecode) {
  RunAndCompare({Next(1, 4, {3})});
  RunAndCompare({Next(0, 17, {2, 16}), Next(1, 1, {0}), Next(2, 1, {0})});
  RunAndCompare({Next(1, 2, {1}), Next(0, 1, {0})});
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, Architectures,
    testing::Combine(testing::Values("llama", "llama3", "mistral", "qwen2", "qwen2_window", "qwen3",
                                     "gemma2", "gemma3", "gemma3_wrapped", "mixtral", "qwen3_moe",
                                     "qwen3_moe_renormalised", "llama_gguf", "mixtral_gguf",
                                     "qwen2_gguf", "qwen3_moe_gguf", "gemma2_gguf", "gemma3_gguf"),
                     testing::Values("reference", "cpu")),
    [](const auto& instance) {
      return std::get<0>(instance.param) + "_on_" + std::get<1>(instance.param);
    });

}  // namespace
}  // namespace switchyard::tests
