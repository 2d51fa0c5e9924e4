#include "gateway/answer_ledger.h"

#include <algorithm>

#include "base/json.h"
#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

using protocol::AnswerChunk;
using protocol::ChunkChoice;
using protocol::JsonItems;

constexpr std::string_view kNoUsage = "{}";

// A list of token ids without its brackets, if that is what it is; and how many.
struct Ids {
  std::string_view inner;
  std::int64_t count = 0;
};

std::optional<Ids> ReadIds(std::string_view list) {
  Ids ids;
  JsonItems items(list);
  if (list.size() < 2 || list.front() != '[') return std::nullopt;
  while (items.Next()) {
    if (!protocol::JsonInteger(items.value())) return std::nullopt;
    ++ids.count;
  }
  if (!items.is_whole()) return std::nullopt;
  ids.inner = list.substr(1, list.size() - 2);
  return ids;
}

// The chunk with another text in its one choice. None where what lies in it is no JSON after all,
// of which only the structure was looked at.
std::optional<std::string> WithText(std::string_view data, const std::string& text, bool is_text) {
  auto parsed = base::ParseJson(data, "a chunk");
  if (!parsed || !parsed->is_object()) return std::nullopt;
  base::Json& chunk = *parsed;
  base::Json& choices = chunk["choices"];
  if (!choices.is_array() || choices.size() != 1 || !choices[0].is_object()) return std::nullopt;
  base::Json& holder = is_text ? choices[0] : choices[0]["delta"];
  if (!holder.is_object()) return std::nullopt;
  holder[is_text ? "text" : "content"] = text;
  return base::WriteJson(chunk);
}

}  // namespace

AnswerLedger::AnswerLedger(protocol::Endpoint endpoint, const protocol::RequestOutline& request)
    : endpoint_(endpoint),
      wants_usage_(request.include_usage || !request.stream),
      wants_token_ids_(request.return_token_ids),
      wants_extension_(request.has_extension),
      choices_(request.prompts * static_cast<std::size_t>(request.n)),
      choices_by_prompt_(static_cast<std::size_t>(request.n)),
      prompts_(request.prompts) {
  if (!request.stream) whole_ = std::make_unique<protocol::ChunkCollector>(endpoint);
}

void AnswerLedger::Begin(Source source) {
  source_ = std::move(source);
  ++members_;
  usage_.clear();
  for (Choice& choice : choices_) {
    choice.held.clear();
    choice.held_text.clear();
    choice.to_repeat = 0;
    if (source_.continues && !choice.is_finished && is_known_by_tokens_) {
      choice.tokens.resize(choice.settled);
      choice.token_count = choice.settled_count;
    }
    if (!source_.repeats) continue;
    choice.tokens.clear();  // they come again, perhaps as others
    choice.token_count = choice.settled_count = 0;
    choice.settled = 0;
    if (!choice.is_finished) choice.to_repeat = choice.text.size();
  }
  tokens_before_ = completion_tokens();
}

std::int64_t AnswerLedger::completion_tokens() const {
  std::int64_t count = 0;
  for (const Choice& choice : choices_) count += choice.token_count;
  return count;
}

const std::string& AnswerLedger::text() const {
  const auto open = std::ranges::find(choices_, false, &Choice::is_finished);
  return open == choices_.end() ? choices_.front().text : open->text;
}

Heard AnswerLedger::Take(std::string_view data, std::string& out) {
  if (!source_.is_from_tokens) return TakeChunk(data, out);
  const auto own = protocol::AsContinuation(data, endpoint_);
  if (!own) return Heard::kNotUnderstood;
  return own->empty() ? Heard::kNothing : TakeChunk(*own, out);
}

Heard AnswerLedger::TakeChunk(std::string_view data, std::string& out) {
  const auto chunk = protocol::ReadChunk(data);
  if (!chunk) return Heard::kNotUnderstood;
  if (!chunk->error.empty()) {
    error_ = chunk->error;
    return Heard::kError;
  }
  if (chunk->choices.size() > 1) return TakeEach(data, out);
  Remember(*chunk);
  if (chunk->choices.empty()) {
    if (!chunk->usage.empty()) GiveUsage(*chunk, data, out);
    return Heard::kNothing;
  }
  // Some tell the usage with the last choice.
  if (!chunk->usage.empty()) usage_ = chunk->usage;
  return TakeChoice(*chunk, chunk->choices.front(), data, out);
}

// Almost everybody tells of one choice in a chunk; what tells of several is taken as so many.
Heard AnswerLedger::TakeEach(std::string_view data, std::string& out) {
  std::string_view all;
  for (JsonItems items(data); items.Next();) {
    if (items.key() == "choices") all = items.value();
  }
  const auto begin = static_cast<std::size_t>(all.data() - data.data());
  Heard most = Heard::kNothing;
  for (JsonItems choices(all); choices.Next();) {
    std::string one(data.substr(0, begin));
    one.append("[").append(choices.value()).append("]").append(data.substr(begin + all.size()));
    most = std::max(most, TakeChunk(one, out));
  }
  return most;
}

void AnswerLedger::Remember(const AnswerChunk& chunk) {
  if (id_.empty() && !chunk.id.empty()) {
    id_ = chunk.id;
    created_ = chunk.created;
  }
  if (model_.empty()) model_ = chunk.model;
  const auto remember = [this](std::size_t prompt, std::string_view list) {
    if (prompt >= prompts_.size() || !prompts_[prompt].empty()) return;
    const auto ids = ReadIds(list);
    if (!ids || ids->count == 0) return;
    prompts_[prompt] = list;
    prompt_tokens_ += ids->count;
  };
  if (!chunk.prompt_token_ids.empty()) remember(0, chunk.prompt_token_ids);
  for (const ChunkChoice& part : chunk.choices) {
    if (part.prompt_token_ids.empty() || part.index < 0) continue;
    remember(static_cast<std::size_t>(part.index) / choices_by_prompt_, part.prompt_token_ids);
  }
}

Heard AnswerLedger::TakeChoice(const AnswerChunk& chunk, const ChunkChoice& part,
                               std::string_view data, std::string& out) {
  if (part.index < 0 || part.index >= std::ssize(choices_)) return Heard::kNotUnderstood;
  Choice& choice = choices_[static_cast<std::size_t>(part.index)];
  if (choice.is_finished) return Heard::kNothing;
  const bool is_last = !part.finish_reason.empty();
  const bool has_ids = !part.token_ids.empty() && part.token_ids != "[]";
  std::string text =
      protocol::JsonString(is_text_ ? part.text : part.content).value_or(std::string());
  const bool has_more = part.has_tool_calls || part.has_other;
  const bool says_something = !text.empty() || has_more || part.has_logprobs;
  if (has_ids) {
    const auto ids = ReadIds(part.token_ids);
    if (!ids) return Heard::kNotUnderstood;
    if (!choice.tokens.empty()) choice.tokens += ',';
    choice.tokens += ids->inner;
    choice.token_count += ids->count;
  } else if (!source_.tells_token_ids) {
    is_known_by_tokens_ = false;
    if (says_something) ++choice.token_count;  // mostly it is one; nothing better can be counted
  }
  const bool only_opens = part.has_role && !says_something && !is_last;
  if (only_opens && choice.is_begun) return Heard::kNothing;
  std::string rest;  // the chunk without what was given before
  if (choice.to_repeat > 0) {
    if (has_more || (is_last && text.size() < choice.to_repeat)) return Heard::kOtherText;
    auto fresh = Repeat(choice, text);
    if (!fresh) return Heard::kOtherText;
    if (fresh->empty() && !is_last) return Heard::kTokens;
    text = std::move(*fresh);
    auto changed = WithText(data, text, is_text_);
    if (!changed) return Heard::kOtherText;
    rest = std::move(*changed);
    data = rest;
  }
  has_more_than_text_ = has_more_than_text_ || has_more;
  const bool waits = source_.tells_token_ids ? !has_ids : !choice.is_begun && !says_something;
  if (waits && !is_last) {
    choice.held.emplace_back(data);
    choice.held_text += text;
    return Heard::kNothing;
  }
  if (!choice.held_text.empty() || !text.empty()) {
    choice.settled = choice.tokens.size();
    choice.settled_count = choice.token_count;
  }
  choice.text += std::exchange(choice.held_text, {}) + text;
  if (is_last) {
    choice.is_finished = true;
    choice.finish = protocol::JsonString(part.finish_reason).value_or("");
    ++finished_;
  }
  for (const std::string& held : choice.held) Give(*protocol::ReadChunk(held), held, out);
  choice.held.clear();
  choice.is_begun = true;
  has_begun_ = true;
  Give(rest.empty() ? chunk : *protocol::ReadChunk(rest), data, out);
  return Heard::kTokens;
}

std::optional<std::string> AnswerLedger::Repeat(Choice& choice, const std::string& text) {
  const std::size_t from = choice.text.size() - choice.to_repeat;
  const std::size_t same = std::min(text.size(), choice.to_repeat);
  if (choice.text.compare(from, same, text, 0, same) != 0) return std::nullopt;
  choice.to_repeat -= same;
  return text.substr(same);
}

protocol::ChunkChanges AnswerLedger::Changes() const {
  protocol::ChunkChanges changes{.drops_token_ids = !wants_token_ids_,
                                 .drops_extension = !wants_extension_,
                                 .model = source_.shown_model};
  if (members_ > 1) {
    changes.id = id_;
    changes.created = created_;
  }
  return changes;
}

void AnswerLedger::Give(const AnswerChunk& chunk, std::string_view data, std::string& out) {
  const protocol::ChunkChanges changes = Changes();
  if (!changes.IsNeeded(chunk)) return Emit(data, out);
  // What had nothing but token ids was not for the client.
  const bool is_bare = std::ranges::all_of(chunk.choices, &ChunkChoice::IsBare);
  if (is_bare && chunk.usage.empty() && changes.drops_token_ids) return;
  std::string changed;
  protocol::AppendChunk(data, changes, changed);
  Emit(changed, out);
}

void AnswerLedger::Emit(std::string_view json, std::string& out) {
  if (whole_ != nullptr) {
    (void)whole_->Add(json);  // it was read as a chunk before
    return;
  }
  out.append("data: ").append(json).append("\n\n");
}

void AnswerLedger::GiveUsage(const AnswerChunk& chunk, std::string_view data, std::string& out) {
  usage_ = chunk.usage;
  if (whole_ != nullptr || !wants_usage_) return;
  protocol::ChunkChanges changes = Changes();
  std::string full;
  if (tokens_before_ > 0) {
    full = FullUsage(usage_);
    changes.usage = full;
  }
  if (!changes.IsNeeded(chunk)) return Emit(data, out);
  std::string changed;
  protocol::AppendChunk(data, changes, changed);
  Emit(changed, out);
}

// The last member counted only what it made itself.
std::string AnswerLedger::FullUsage(std::string_view usage) const {
  auto parsed = base::ParseJson(usage, "usage");
  base::Json json = parsed && parsed->is_object() ? std::move(*parsed) : base::Json::object();
  if (prompt_tokens_ > 0 || !json.contains("prompt_tokens")) json["prompt_tokens"] = prompt_tokens_;
  json["completion_tokens"] = completion_tokens();
  const auto prompt = json["prompt_tokens"].is_number_integer()
                          ? json["prompt_tokens"].get<std::int64_t>()
                          : prompt_tokens_;
  json["total_tokens"] = prompt + completion_tokens();
  // How much of it was cached, only the member that is gone knew.
  if (usage == kNoUsage) json["prompt_tokens_details"] = {{"cached_tokens", 0}};
  json.erase("switchyard");
  return base::WriteJson(json);
}

std::string AnswerLedger::ResumeJson() const {
  std::string json = "{";
  if (!id_.empty()) json.append("\"id\":").append(id_).append(",");
  if (!created_.empty()) json.append("\"created\":").append(created_).append(",");
  if (std::ranges::none_of(prompts_, &std::string::empty)) {
    json += "\"prompt_token_ids\":";
    if (prompts_.size() == 1) {
      json += prompts_.front();
    } else {
      json += fmt::format("[{}]", fmt::join(prompts_, ","));
    }
    json += ',';
  }
  json += "\"choices\":[";
  bool is_first = true;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Choice& choice = choices_[i];
    if (!choice.is_begun) continue;
    if (!std::exchange(is_first, false)) json += ',';
    if (choice.is_finished) {
      json += fmt::format("{{\"index\":{},\"finished\":true}}", i);
    } else {
      json += fmt::format("{{\"index\":{},\"token_ids\":[{}]}}", i, choice.tokens);
    }
  }
  return json + "]}";
}

std::string AnswerLedger::TokensJson() const {
  const Choice& choice = choices_.front();
  const bool is_one = choices_.size() == 1 && prompts_.size() == 1;
  if (!is_one || !is_known_by_tokens_ || prompts_.front().size() <= 2) return {};
  std::string json = prompts_.front();
  json.pop_back();
  if (choice.settled > 0) json.append(",").append(choice.tokens, 0, choice.settled);
  return json + "]";
}

void AnswerLedger::EndByLength(std::string& out) {
  Choice& choice = choices_.front();
  choice.is_finished = true;
  choice.finish = "length";
  ++finished_;
  Emit(fmt::format(R"({{{},"choices":[{{"index":0,{},"finish_reason":"length"}}]}})", Head(),
                   is_text_ ? R"("text":"")" : R"("delta":{})"),
       out);
}

std::string AnswerLedger::Head() const {
  const auto known = [](std::string_view json) { return json.empty() ? "null" : json; };
  return fmt::format(R"("id":{},"object":"{}","created":{},"model":{})", known(id_),
                     is_text_ ? "text_completion" : "chat.completion.chunk", known(created_),
                     known(!source_.shown_model.empty() ? source_.shown_model : model_));
}

std::string AnswerLedger::MissingUsage() const {
  if (!wants_usage_ || whole_ != nullptr || !usage_.empty()) return {};
  return fmt::format("data: {{{},\"choices\":[],\"usage\":{}}}\n\n", Head(), FullUsage(kNoUsage));
}

std::string AnswerLedger::Whole() const {
  if (usage_.empty()) return whole_->Whole(FullUsage(kNoUsage));
  return whole_->Whole(tokens_before_ > 0 ? FullUsage(usage_) : usage_);
}

}  // namespace switchyard::gateway
