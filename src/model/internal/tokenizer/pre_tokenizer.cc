#include "model/internal/tokenizer/pre_tokenizer.h"

#include <string_view>
#include <utility>

#include "model/internal/tokenizer/byte_alphabet.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

void AppendSpan(std::size_t begin, std::size_t end, std::vector<Span>* spans) {
  if (begin < end) spans->push_back({begin, end});
}

// Turns the matches within [0, size) into pieces, shifted by `offset`. Appends to *spans.
void Cut(const std::vector<Span>& matches, std::size_t size, std::size_t offset,
         SplitBehavior behavior, bool inverted, std::vector<Span>* spans) {
  // Matches and what lies between them, in order. A gap is only there if it isn't empty.
  struct Part {
    std::size_t begin;
    std::size_t end;
    bool matched;
  };
  std::vector<Part> parts;
  parts.reserve(matches.size() * 2 + 1);
  std::size_t covered = 0;
  for (const Span match : matches) {
    if (covered < match.begin) parts.push_back({covered, match.begin, inverted});
    parts.push_back({match.begin, match.end, !inverted});
    covered = match.end;
  }
  if (covered < size) parts.push_back({covered, size, inverted});

  const std::size_t first = spans->size();
  switch (behavior) {
    case SplitBehavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.matched) AppendSpan(part.begin + offset, part.end + offset, spans);
      }
      return;
    case SplitBehavior::kIsolated:
      for (const Part& part : parts) AppendSpan(part.begin + offset, part.end + offset, spans);
      return;
    case SplitBehavior::kContiguous:
      for (std::size_t i = 0; i < parts.size();) {
        std::size_t end = i + 1;
        while (end < parts.size() && parts[end].matched == parts[i].matched) ++end;
        AppendSpan(parts[i].begin + offset, parts[end - 1].end + offset, spans);
        i = end;
      }
      return;
    case SplitBehavior::kMergedWithPrevious: {
      bool previous_matched = false;
      for (const Part& part : parts) {
        if (part.matched && !previous_matched && spans->size() > first) {
          spans->back().end = part.end + offset;
        } else {
          AppendSpan(part.begin + offset, part.end + offset, spans);
        }
        previous_matched = part.matched;
      }
      return;
    }
    case SplitBehavior::kMergedWithNext: {
      // A match joins what follows it, unless that is a match too.
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t begin = parts[i].begin;
        if (parts[i].matched && i + 1 < parts.size() && !parts[i + 1].matched) ++i;
        AppendSpan(begin + offset, parts[i].end + offset, spans);
      }
      return;
    }
  }
}

class PreTokenizerSequence : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  base::Status Apply(Pieces* pieces) const override {
    for (const auto& step : steps_) SWITCHYARD_RETURN_IF_ERROR(step->Apply(pieces));
    return {};
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

class Split : public PreTokenizer {
 public:
  Split(Pattern pattern, SplitBehavior behavior, bool inverted)
      : pattern_(std::move(pattern)), behavior_(behavior), inverted_(inverted) {}

  base::Status Apply(Pieces* pieces) const override {
    std::vector<Span> spans;
    spans.reserve(pieces->spans.size());
    std::vector<Span> matches;
    for (const Span span : pieces->spans) {
      matches.clear();
      SWITCHYARD_RETURN_IF_ERROR(pattern_.FindAll(pieces->Piece(span), pieces->scratch, &matches));
      Cut(matches, span.end - span.begin, span.begin, behavior_, inverted_, &spans);
    }
    pieces->spans = std::move(spans);
    return {};
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool inverted_;
};

// Cuts at every character for which `Matches` holds.
class CharacterSplit : public PreTokenizer {
 public:
  using Predicate = bool (*)(char32_t);
  CharacterSplit(Predicate matches, SplitBehavior behavior)
      : matches_(matches), behavior_(behavior) {}

  base::Status Apply(Pieces* pieces) const override {
    std::vector<Span> spans;
    spans.reserve(pieces->spans.size());
    std::vector<Span> found;
    for (const Span span : pieces->spans) {
      found.clear();
      const std::string_view piece = pieces->Piece(span);
      for (std::size_t i = 0; i < piece.size();) {
        const std::size_t start = i;
        if (matches_(unicode::NextPoint(piece, &i))) found.push_back({start, i});
      }
      Cut(found, piece.size(), span.begin, behavior_, /*inverted=*/false, &spans);
    }
    pieces->spans = std::move(spans);
    return {};
  }

 private:
  Predicate matches_;
  SplitBehavior behavior_;
};

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, std::unique_ptr<PreTokenizer> splitter)
      : add_prefix_space_(add_prefix_space), splitter_(std::move(splitter)) {}

  base::Status Apply(Pieces* pieces) const override {
    if (add_prefix_space_) PrependSpaces(pieces);
    if (splitter_) SWITCHYARD_RETURN_IF_ERROR(splitter_->Apply(pieces));
    std::string letters;
    letters.reserve(pieces->text.size() + pieces->text.size() / 2);
    for (Span& span : pieces->spans) {
      const std::size_t begin = letters.size();
      AppendAsLetters(pieces->Piece(span), &letters);
      span = {begin, letters.size()};
    }
    pieces->text = std::move(letters);
    return {};
  }

 private:
  static void PrependSpaces(Pieces* pieces) {
    std::string text;
    text.reserve(pieces->text.size() + pieces->spans.size());
    for (Span& span : pieces->spans) {
      const std::string_view piece = pieces->Piece(span);
      const std::size_t begin = text.size();
      if (!piece.starts_with(' ')) text.push_back(' ');
      text.append(piece);
      span = {begin, text.size()};
    }
    pieces->text = std::move(text);
  }

  bool add_prefix_space_;
  std::unique_ptr<PreTokenizer> splitter_;
};

class Metaspace : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool splits)
      : replacement_(std::move(replacement)), scheme_(scheme), splits_(splits) {}

  base::Status Apply(Pieces* pieces) const override {
    std::string text;
    text.reserve(pieces->text.size() * 2);
    std::vector<Span> spans;
    std::vector<Span> matches;
    for (const Span span : pieces->spans) {
      const std::string_view piece = pieces->Piece(span);
      const std::size_t begin = text.size();
      const bool prepends =
          scheme_ == PrependScheme::kAlways ||
          (scheme_ == PrependScheme::kFirst && pieces->at_start && span.begin == 0);
      if (prepends && !piece.starts_with(' ') && !piece.starts_with(replacement_)) {
        text.append(replacement_);
      }
      for (const char c : piece) {
        if (c == ' ') {
          text.append(replacement_);
        } else {
          text.push_back(c);
        }
      }
      if (splits_) {
        const std::string_view rewritten = std::string_view(text).substr(begin);
        matches.clear();
        for (std::size_t at = rewritten.find(replacement_); at != std::string_view::npos;
             at = rewritten.find(replacement_, at + replacement_.size())) {
          matches.push_back({at, at + replacement_.size()});
        }
        Cut(matches, rewritten.size(), begin, SplitBehavior::kMergedWithNext, /*inverted=*/false,
            &spans);
      } else {
        AppendSpan(begin, text.size(), &spans);
      }
    }
    pieces->text = std::move(text);
    pieces->spans = std::move(spans);
    return {};
  }

 private:
  std::string replacement_;
  PrependScheme scheme_;
  bool splits_;
};

// Hugging Face asks a table of Unicode 8 here.
bool IsBertPunctuation(char32_t point) {
  return unicode::IsAsciiPunctuation(point) || unicode::IsPunctuation(unicode::CategoryIn8(point));
}

}  // namespace

std::unique_ptr<PreTokenizer> MakeSequence(std::vector<std::unique_ptr<PreTokenizer>> steps) {
  return std::make_unique<PreTokenizerSequence>(std::move(steps));
}

std::unique_ptr<PreTokenizer> MakeSplit(Pattern pattern, SplitBehavior behavior, bool inverted) {
  return std::make_unique<Split>(std::move(pattern), behavior, inverted);
}

std::unique_ptr<PreTokenizer> MakeByteLevel(bool add_prefix_space,
                                            std::unique_ptr<PreTokenizer> splitter) {
  return std::make_unique<ByteLevel>(add_prefix_space, std::move(splitter));
}

std::unique_ptr<PreTokenizer> MakeDigits(bool individual) {
  return std::make_unique<CharacterSplit>(
      [](char32_t point) { return unicode::IsNumber(unicode::CategoryOf(point)); },
      individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

std::unique_ptr<PreTokenizer> MakePunctuation(SplitBehavior behavior) {
  return std::make_unique<CharacterSplit>(IsBertPunctuation, behavior);
}

std::unique_ptr<PreTokenizer> MakeWhitespaceSplit() {
  return std::make_unique<CharacterSplit>(unicode::IsWhiteSpace, SplitBehavior::kRemoved);
}

std::unique_ptr<PreTokenizer> MakeBertPreTokenizer() {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  steps.push_back(MakeWhitespaceSplit());
  steps.push_back(MakePunctuation(SplitBehavior::kIsolated));
  return MakeSequence(std::move(steps));
}

std::unique_ptr<PreTokenizer> MakeMetaspace(std::string replacement, PrependScheme scheme,
                                            bool splits) {
  return std::make_unique<Metaspace>(std::move(replacement), scheme, splits);
}

}  // namespace switchyard::model::tokenization
