#include "model/internal/tokenizer/normalizer.h"

#include <string_view>
#include <utility>

#include "model/internal/tokenizer/byte_alphabet.h"
#include "model/internal/unicode/case_mapping.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/normalization.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

// Rewrites character by character.
template <typename Rewrite>
std::string RewritePoints(std::string_view text, Rewrite rewrite) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) rewrite(unicode::NextPoint(text, &i), &result);
  return result;
}

class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  base::Result<std::string> Apply(std::string text, RegexScratch* scratch) const override {
    for (const auto& step : steps_) {
      SWITCHYARD_TRY(text, step->Apply(std::move(text), scratch));
    }
    return text;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

// A normalizer that is a function without state of its own.
template <typename Function>
class StatelessNormalizer : public Normalizer {
 public:
  explicit StatelessNormalizer(Function function) : function_(std::move(function)) {}
  base::Result<std::string> Apply(std::string text, RegexScratch* /*scratch*/) const override {
    return function_(std::move(text));
  }

 private:
  Function function_;
};

template <typename Function>
std::unique_ptr<Normalizer> NormalizerOf(Function function) {
  return std::make_unique<StatelessNormalizer<Function>>(std::move(function));
}

template <typename Drops>
std::string DropPoints(std::string_view text, Drops drops) {
  return RewritePoints(text, [&drops](char32_t point, std::string* out) {
    if (!drops(point)) unicode::AppendUtf8(point, out);
  });
}

class Replace : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  base::Result<std::string> Apply(std::string text, RegexScratch* scratch) const override {
    std::vector<Span> matches;
    SWITCHYARD_RETURN_IF_ERROR(pattern_.FindAll(text, scratch, &matches));
    if (matches.empty()) return text;
    std::string result;
    result.reserve(text.size());
    std::size_t kept = 0;
    for (const Span match : matches) {
      result.append(text, kept, match.begin - kept).append(content_);
      kept = match.end;
    }
    return result.append(text, kept);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

// The blocks that BERT's published tokenizer takes for Chinese characters; the gap before U+2B920
// is Hugging Face's.
bool IsChinese(char32_t point) {
  return (point >= 0x4E00 && point <= 0x9FFF) || (point >= 0x3400 && point <= 0x4DBF) ||
         (point >= 0x20000 && point <= 0x2A6DF) || (point >= 0x2A700 && point <= 0x2B73F) ||
         (point >= 0x2B740 && point <= 0x2B81F) || (point >= 0x2B920 && point <= 0x2CEAF) ||
         (point >= 0xF900 && point <= 0xFAFF) || (point >= 0x2F800 && point <= 0x2FA1F);
}

// Hugging Face's tables are of Unicode 8 here and for BERT's accents, and of Unicode 9 for other
// accents, so a younger mark stays.
bool IsBertControl(char32_t point) {
  const unicode::Category category = unicode::CategoryIn8(point);
  return category == unicode::Category::kCc || category == unicode::Category::kCf ||
         category == unicode::Category::kCo;
}

bool IsBertAccent(char32_t point) { return unicode::CategoryIn8(point) == unicode::Category::kMn; }

bool IsAccent(char32_t point) { return unicode::IsMark(unicode::CategoryIn9(point)); }

std::string CleanForBert(std::string_view text) {
  return RewritePoints(text, [](char32_t point, std::string* out) {
    const bool is_line_space = point == '\t' || point == '\n' || point == '\r';
    if (point == 0xFFFD || (IsBertControl(point) && !is_line_space)) return;
    unicode::AppendUtf8(unicode::IsWhiteSpace(point) ? U' ' : point, out);
  });
}

std::string SpaceChinese(std::string_view text) {
  return RewritePoints(text, [](char32_t point, std::string* out) {
    const bool is_chinese = IsChinese(point);
    if (is_chinese) out->push_back(' ');
    unicode::AppendUtf8(point, out);
    if (is_chinese) out->push_back(' ');
  });
}

}  // namespace

std::unique_ptr<Normalizer> MakeSequence(std::vector<std::unique_ptr<Normalizer>> steps) {
  return std::make_unique<NormalizerSequence>(std::move(steps));
}

std::unique_ptr<Normalizer> MakeUnicodeNormalizer(unicode::NormalizationForm form) {
  return NormalizerOf([form](std::string text) { return unicode::Normalize(text, form); });
}

std::unique_ptr<Normalizer> MakeLowercase() {
  return NormalizerOf([](std::string text) { return unicode::LowerEach(text); });
}

std::unique_ptr<Normalizer> MakeStripAccents() {
  return NormalizerOf([](std::string text) { return DropPoints(text, IsAccent); });
}

std::unique_ptr<Normalizer> MakeStrip(bool left, bool right) {
  return NormalizerOf([left, right](std::string text) {
    std::size_t begin = text.size();  // of what isn't white space
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t start = i;
      if (unicode::IsWhiteSpace(unicode::NextPoint(text, &i))) continue;
      begin = std::min(begin, start);
      end = i;
    }
    if (begin >= end) return left || right ? std::string() : text;
    if (!left) begin = 0;
    if (!right) end = text.size();
    return text.substr(begin, end - begin);
  });
}

std::unique_ptr<Normalizer> MakeReplace(Pattern pattern, std::string content) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}

std::unique_ptr<Normalizer> MakePrepend(std::string prefix) {
  return NormalizerOf([prefix = std::move(prefix)](std::string text) {
    return text.empty() ? text : prefix + text;
  });
}

std::unique_ptr<Normalizer> MakeByteLevelNormalizer() {
  return NormalizerOf([](std::string text) {
    std::string letters;
    letters.reserve(text.size() * 2);
    AppendAsLetters(text, &letters);
    return letters;
  });
}

std::unique_ptr<Normalizer> MakeNmt() {
  return NormalizerOf([](std::string text) {
    return RewritePoints(text, [](char32_t point, std::string* out) {
      const bool is_dropped = (point >= 0x01 && point <= 0x08) || point == 0x0B ||
                              (point >= 0x0E && point <= 0x1F) || point == 0x7F || point == 0x8F ||
                              point == 0x9F;
      if (is_dropped) return;
      const bool is_space = point == 0x09 || point == 0x0A || point == 0x0C || point == 0x0D ||
                            point == 0x1680 || (point >= 0x200B && point <= 0x200F) ||
                            point == 0x2028 || point == 0x2029 || point == 0x2581 ||
                            point == 0xFEFF || point == 0xFFFD;
      unicode::AppendUtf8(is_space ? U' ' : point, out);
    });
  });
}

std::unique_ptr<Normalizer> MakeBertNormalizer(BertNormalizerOptions options) {
  return NormalizerOf([options](std::string text) {
    if (options.clean_text) text = CleanForBert(text);
    if (options.handle_chinese_chars) text = SpaceChinese(text);
    if (options.strip_accents) {
      const std::string parts = unicode::Normalize(text, unicode::NormalizationForm::kNfd);
      text = DropPoints(parts, IsBertAccent);
    }
    if (options.lowercase) text = unicode::LowerEach(text);
    return text;
  });
}

}  // namespace switchyard::model::tokenization
