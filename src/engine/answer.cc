#include "engine/answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/token_rules.h"

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using base::Fail;

bool Contains(std::span<const TokenId> ids, TokenId id) {
  return std::ranges::find(ids, id) != ids.end();
}

std::int64_t MostTokens(const CompletionRequest& request, std::int64_t context_tokens) {
  const std::int64_t room = context_tokens - static_cast<std::int64_t>(request.prompt.size());
  return request.max_tokens < 0 ? room : std::min(request.max_tokens, room);
}

// Whether the resumed tokens are the beginning of a text that the grammar allows.
base::Status CheckResumed(const CompletionRequest& request) {
  grammar::Matcher matcher(request.grammar, !request.continues_text);
  for (const TokenId token : request.resumed) {
    if (Contains(request.end_tokens, token) || Contains(request.stop_tokens, token)) return {};
    if (matcher.Accept(token)) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "the resumed tokens do not fit the request's grammar: token {} cannot come where "
                "it does",
                token);
  }
  return {};
}

}  // namespace

base::Status Validate(const CompletionRequest& request, std::int64_t context_tokens,
                      std::int64_t vocabulary) {
  SWITCHYARD_RETURN_IF_ERROR(Validate(request.sampling));
  if (request.prompt.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the prompt has no tokens");
  }
  const auto tokens = static_cast<std::int64_t>(request.prompt.size() + request.resumed.size());
  if (static_cast<std::int64_t>(request.prompt.size()) >= context_tokens ||
      tokens > context_tokens) {
    return Fail(ErrorCode::kInvalidArgument,
                "the prompt has {} tokens and the context {}: shorten it or serve the model with a "
                "larger context",
                tokens, context_tokens);
  }
  for (const TokenId id : request.rules.allowed) {
    if (id >= 0 && id < vocabulary) continue;
    return Fail(ErrorCode::kInvalidArgument, "the allowed token {} is outside the vocabulary of {}",
                id, vocabulary);
  }
  if (request.top_logprobs < -1 || request.top_logprobs > vocabulary) {
    return Fail(ErrorCode::kInvalidArgument, "top_logprobs is {}: it must lie between -1 and {}",
                request.top_logprobs, vocabulary);
  }
  for (const std::vector<TokenId>* ids : {&request.prompt, &request.resumed}) {
    for (const TokenId id : *ids) {
      if (id >= 0 && id < vocabulary) continue;
      return Fail(ErrorCode::kInvalidArgument, "token {} is outside the vocabulary of {}", id,
                  vocabulary);
    }
  }
  if (request.grammar && !request.resumed.empty()) return CheckResumed(request);
  return {};
}

Answer::Answer(CompletionRequest request, const model::Tokenizer& tokenizer,
               std::int64_t context_tokens)
    : request_(std::move(request)),
      most_tokens_(MostTokens(request_, context_tokens)),
      stream_(tokenizer, request_.skips_special, !request_.continues_text),
      stops_(request_.stops, request_.includes_stop) {
  sequence_.tokens = request_.prompt;
  if (most_tokens_ <= 0) end_ = CompletionEnd::kLength;
  if (request_.grammar) {
    matcher_.emplace(request_.grammar, !request_.continues_text);
    if (matcher_->is_over()) end_ = CompletionEnd::kEnd;
  }
  for (const TokenId token : request_.resumed) {
    if (end_) {
      sequence_.tokens.push_back(token);
    } else {
      resumed_text_ += Accept(token);
    }
  }
}

std::string Answer::Accept(TokenId token) {
  std::string text;
  sequence_.tokens.push_back(token);
  const auto answered = static_cast<std::int64_t>(sequence_.tokens.size()) - prompt_tokens();
  if (Contains(request_.end_tokens, token)) {
    end_ = CompletionEnd::kEnd;
  } else if (Contains(request_.stop_tokens, token)) {
    end_ = CompletionEnd::kStop;
    if (request_.includes_stop) text = stops_.Pass(stream_.Push(token));
  } else {
    fits_ = !matcher_ || matcher_->Accept(token);
    const std::string said = stream_.Push(token, Contains(request_.shown_tokens, token));
    text = answered < request_.rules.min_tokens ? stops_.Pass(said) : stops_.Push(said);
    if (stops_.stopped()) {
      end_ = CompletionEnd::kStop;
    } else if (matcher_ && matcher_->is_over()) {
      end_ = CompletionEnd::kEnd;
    } else if (answered >= most_tokens_) {
      end_ = CompletionEnd::kLength;
    }
  }
  if (end_ && !stops_.stopped()) text += HeldBack();
  return text;
}

std::string Answer::HeldBack() {
  std::string text = stops_.Push(stream_.Finish());
  return text + stops_.Finish();
}

base::Result<bool> Answer::Constrain(std::span<float> scores) {
  SWITCHYARD_TRY(const auto allowed, matcher_->NextTokens());
  // A text that may end may do so by any token that ends it; one that may not, by none.
  std::vector<std::pair<TokenId, float>> ends;
  for (const std::vector<TokenId>* ids : {&request_.end_tokens, &request_.stop_tokens}) {
    for (const TokenId id : *ids) {
      if (id < 0 || static_cast<std::size_t>(id) >= scores.size()) continue;
      float& score = scores[static_cast<std::size_t>(id)];
      if (matcher_->is_complete()) {
        ends.emplace_back(id, score);
      } else if (ids == &request_.end_tokens) {
        score = kNever;
      }
    }
  }
  allowed->Apply(scores);
  for (const auto& [id, score] : ends) scores[static_cast<std::size_t>(id)] = score;
  if (!allowed->empty() || !ends.empty()) return true;
  if (matcher_->is_complete()) return false;
  return Fail(ErrorCode::kInvalidArgument,
              "no token of the vocabulary can go on with the text as the grammar wants it");
}

base::Result<CompletionDelta> Answer::Next(std::span<const float> logits) {
  // A copy is made only for those who change it.
  std::vector<float> scores;
  if (matcher_ || !request_.rules.forbid_nothing()) scores.assign(logits.begin(), logits.end());
  const auto answer = std::span(sequence_.tokens).subspan(request_.prompt.size());
  if (matcher_) {
    SWITCHYARD_TRY(const bool can_go_on, Constrain(scores));
    if (!can_go_on) {
      end_ = CompletionEnd::kEnd;
      CompletionDelta rest;
      rest.text = HeldBack();
      return rest;
    }
  }
  if (!request_.rules.forbid_nothing()) {
    const std::array<const std::vector<TokenId>*, 2> ends{&request_.end_tokens,
                                                          &request_.stop_tokens};
    Forbid(request_.rules, answer, ends, scores);
    if (std::ranges::all_of(scores, [](float score) { return !(score > kNever); })) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the request's rules (min_tokens, allowed tokens, bad words{}) leave no token "
                  "that may come after {} tokens of the answer",
                  matcher_ ? ", the form of the answer" : "", answer.size());
    }
  }
  const std::span<const float> drawn_from = scores.empty() ? logits : scores;
  SWITCHYARD_TRY(const TokenId token,
                 Sample(drawn_from, request_.sampling, request_.prompt, answer));
  CompletionDelta delta;
  delta.tokens.push_back(request_.top_logprobs < 0
                             ? CompletionToken{token, {}, {}}
                             : WithLogprobs(token, logits, request_.top_logprobs));
  delta.text = Accept(token);
  if (!fits_) {
    return Fail(ErrorCode::kInvalidArgument,
                "the text nests deeper, or can be read in more ways, than a grammar's may");
  }
  return delta;
}

CompletionToken WithLogprobs(TokenId token, std::span<const float> logits, std::int32_t best) {
  std::vector<double> values(logits.size());
  std::ranges::transform(logits, values.begin(), [](float logit) {
    return std::isnan(logit) ? static_cast<double>(kNever) : static_cast<double>(logit);
  });
  const double largest = *std::ranges::max_element(values);
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  const double log_sum = largest + std::log(sum);
  const auto logprob = [&](TokenId id) {
    return TokenLogprob{id, static_cast<float>(values[static_cast<std::size_t>(id)] - log_sum)};
  };
  CompletionToken result{token, logprob(token), {}};
  std::vector<TokenId> ids(values.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto middle = ids.begin() + std::min<std::ptrdiff_t>(best, std::ssize(ids));
  std::ranges::partial_sort(ids, middle, [&](TokenId a, TokenId b) {
    const double x = values[static_cast<std::size_t>(a)];
    const double y = values[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  });
  for (auto at = ids.begin(); at != middle; ++at) result.best.push_back(logprob(*at));
  return result;
}

}  // namespace switchyard::engine
