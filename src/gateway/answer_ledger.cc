#include "gateway/answer_ledger.h"

#include <algorithm>
#include <utility>

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

// What a chunk says of one choice, and what is to become of it.
struct AnswerLedger::Part {
  std::size_t index = 0;
  std::string text = {};      // what of it is new
  std::string rest = {};      // the chunk with that alone; empty: as it came
  std::string finish = {};    // a word
  std::string_view ids = {};  // in the chunk, without brackets
  std::int64_t id_count = 0;
  std::size_t repeated = 0;  // bytes of text that were given before
  bool has_text = false;     // new or not
  bool has_more = false;
  bool says_something = false;
  bool is_last = false;
  bool only_opens = false;    // what the client has open
  bool only_repeats = false;  // what the client has
  bool waits = false;
};

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
  held_bytes_ = 0;
  for (Choice& choice : choices_) {
    choice.held.clear();
    choice.held_text.clear();
    choice.holds_more = choice.is_unsettled = false;
    choice.repeated = {};
    choice.repeats = source_.repeats && !choice.is_finished;
    choice.to_repeat = choice.repeats ? choice.text.size() : 0;
    if (source_.continues && !choice.is_finished && is_known_by_tokens_) {
      choice.tokens.ids.resize(choice.tokens.settled);
      choice.tokens.count = choice.tokens.settled_count;
    }
  }
  // Who repeats counts all of it.
  tokens_before_ = source_.repeats ? 0 : completion_tokens();
}

std::int64_t AnswerLedger::completion_tokens() const {
  std::int64_t count = 0;
  for (const Choice& choice : choices_) count += choice.tokens.count;
  return count;
}

const std::string& AnswerLedger::text() const {
  const auto open = std::ranges::find(choices_, false, &Choice::is_finished);
  return open == choices_.end() ? choices_.front().text : open->text;
}

Heard AnswerLedger::Take(std::string_view data, std::string& out) {
  if (source_.is_from_tokens) {
    const auto own = protocol::AsContinuation(data, endpoint_);
    if (!own) return Heard::kNotUnderstood;
    return own->empty() ? Heard::kNothing : TakeChunk(*own, out);
  }
  if (!protocol::HasControls(data)) return TakeChunk(data, out);
  // An event's data may have several lines; what the client is told has one.
  const auto line = protocol::JsonInOneLine(data);
  return line ? TakeChunk(*line, out) : Heard::kNotUnderstood;
}

Heard AnswerLedger::TakeChunk(std::string_view data, std::string& out) {
  const auto chunk = protocol::ReadChunk(data);
  if (!chunk) return Heard::kNotUnderstood;
  if (!chunk->error.empty()) {
    error_ = chunk->error;
    return Heard::kError;
  }
  // Whoever puts it together parses it, when it is too late to say no.
  if (whole_ != nullptr && !base::ParseJson(data, "a chunk")) return Heard::kNotUnderstood;
  if (chunk->choices.size() > 1) return TakeEach(data, out);
  if (chunk->choices.empty()) {
    Remember(*chunk);
    if (!chunk->usage.empty()) GiveUsage(*chunk, data, out);
    return Heard::kNothing;
  }
  std::size_t held_bytes = held_bytes_;
  auto part = Look(chunk->choices.front(), data, held_bytes);
  if (!part) return part.error();
  Remember(*chunk);
  // Some tell the usage with the last choice.
  if (!chunk->usage.empty()) usage_ = chunk->usage;
  return TakePart(*chunk, *part, data, out);
}

// Almost everybody tells of one choice in a chunk; what tells of several is taken as so many.
Heard AnswerLedger::TakeEach(std::string_view data, std::string& out) {
  std::string_view all;
  for (JsonItems items(data); items.Next();) {
    if (items.key() == "choices") all = items.value();
  }
  const auto begin = static_cast<std::size_t>(all.data() - data.data());
  const auto alone = [&](std::string_view choice) {
    std::string one(data.substr(0, begin));
    return one.append("[").append(choice).append("]").append(data.substr(begin + all.size()));
  };
  std::vector<bool> is_named(choices_.size());
  std::size_t held_bytes = held_bytes_;
  for (JsonItems choices(all); choices.Next();) {
    const std::string one = alone(choices.value());
    const auto chunk = protocol::ReadChunk(one);
    if (!chunk || chunk->choices.size() != 1) return Heard::kNotUnderstood;
    const auto part = Look(chunk->choices.front(), one, held_bytes);
    if (!part) return part.error();
    if (is_named[part->index]) return Heard::kNotUnderstood;
    is_named[part->index] = true;
  }
  Heard most = Heard::kNothing;
  for (JsonItems choices(all); choices.Next();) {
    most = std::max(most, TakeChunk(alone(choices.value()), out));
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

std::expected<AnswerLedger::Part, Heard> AnswerLedger::Look(const ChunkChoice& said,
                                                            std::string_view data,
                                                            std::size_t& held_bytes) const {
  const auto refused = [](Heard heard) { return std::unexpected(heard); };
  if (said.index < 0 || said.index >= std::ssize(choices_)) return refused(Heard::kNotUnderstood);
  Part part{.index = static_cast<std::size_t>(said.index)};
  const Choice& choice = choices_[part.index];
  if (choice.is_finished) return part;
  if (!said.token_ids.empty()) {
    const auto ids = ReadIds(said.token_ids);
    if (!ids) return refused(Heard::kNotUnderstood);
    part.ids = ids->inner;
    part.id_count = ids->count;
  }
  part.text = protocol::JsonString(is_text_ ? said.text : said.content).value_or(std::string());
  part.has_text = !part.text.empty();
  part.has_more = said.has_tool_calls || said.has_other;
  part.says_something = part.has_text || part.has_more || said.has_logprobs;
  part.is_last = !said.finish_reason.empty();
  if (part.is_last) part.finish = protocol::JsonString(said.finish_reason).value_or("");
  part.only_opens = said.has_role && !part.says_something && !part.is_last && choice.is_begun;
  if (part.only_opens) return part;
  if (choice.to_repeat > 0) {
    const std::string_view given =
        std::string_view(choice.text).substr(choice.text.size() - choice.to_repeat);
    part.repeated = std::min(part.text.size(), given.size());
    const bool is_same = std::string_view(part.text).starts_with(given.substr(0, part.repeated));
    if (!is_same || part.has_more || (part.is_last && part.repeated < given.size())) {
      return refused(Heard::kOtherText);
    }
    part.text.erase(0, part.repeated);
    part.only_repeats = part.text.empty() && !part.is_last;
    if (part.only_repeats) return part;
    auto rest = WithText(data, part.text, is_text_);
    if (!rest) return refused(Heard::kOtherText);
    part.rest = std::move(*rest);
  }
  part.waits =
      !part.is_last &&
      (source_.tells_token_ids ? part.id_count == 0 : !choice.is_begun && !part.says_something);
  if (part.waits) held_bytes += data.size();
  if (held_bytes > kMostKeptBytes) return refused(Heard::kNotUnderstood);
  return part;
}

Heard AnswerLedger::TakePart(const AnswerChunk& chunk, Part& part, std::string_view data,
                             std::string& out) {
  Choice& choice = choices_[part.index];
  if (choice.is_finished) return Heard::kNothing;
  Count(choice, part);
  choice.to_repeat -= part.repeated;
  if (part.only_opens) return Heard::kNothing;
  if (part.only_repeats) return Heard::kTokens;
  if (!part.rest.empty()) data = part.rest;
  if (part.waits) {
    Hold(choice, part, data);
    return Heard::kNothing;
  }
  if (std::exchange(choice.repeats, false)) choice.tokens = std::exchange(choice.repeated, {});
  if (!source_.tells_token_ids) is_known_by_tokens_ = false;
  has_more_than_text_ = has_more_than_text_ || part.has_more || choice.holds_more;
  choice.text += std::exchange(choice.held_text, {}) + part.text;
  if (part.is_last) {
    choice.is_finished = true;
    choice.finish = std::move(part.finish);
    ++finished_;
  }
  GiveHeld(choice, out);
  choice.is_begun = true;
  has_begun_ = true;
  Give(part.rest.empty() ? chunk : *protocol::ReadChunk(data), data, out);
  return Heard::kTokens;
}

void AnswerLedger::Count(Choice& choice, const Part& part) const {
  Tokens& tokens = choice.repeats ? choice.repeated : choice.tokens;
  choice.is_unsettled = choice.is_unsettled || part.has_text;
  if (part.id_count > 0) {
    if (!tokens.ids.empty()) tokens.ids += ',';
    tokens.ids += part.ids;
    tokens.count += part.id_count;
    if (!std::exchange(choice.is_unsettled, false)) return;
    tokens.settled = tokens.ids.size();
    tokens.settled_count = tokens.count;
  } else if (!source_.tells_token_ids && part.says_something) {
    ++tokens.count;  // mostly it is one; nothing better can be counted
  }
}

void AnswerLedger::Hold(Choice& choice, const Part& part, std::string_view data) {
  choice.held.emplace_back(data);
  choice.held_text += part.text;
  choice.holds_more = choice.holds_more || part.has_more;
  held_bytes_ += data.size();
}

void AnswerLedger::GiveHeld(Choice& choice, std::string& out) {
  for (const std::string& held : choice.held) {
    held_bytes_ -= held.size();
    Give(*protocol::ReadChunk(held), held, out);
  }
  choice.held.clear();
  choice.holds_more = false;
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
      json += fmt::format("{{\"index\":{},\"token_ids\":[{}]}}", i, choice.tokens.ids);
    }
  }
  return json + "]}";
}

std::string AnswerLedger::TokensJson() const {
  const Tokens& tokens = choices_.front().tokens;
  const bool is_one = choices_.size() == 1 && prompts_.size() == 1;
  if (!is_one || !is_known_by_tokens_ || prompts_.front().size() <= 2) return {};
  std::string json = prompts_.front();
  json.pop_back();
  if (tokens.settled > 0) json.append(",").append(tokens.ids, 0, tokens.settled);
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
