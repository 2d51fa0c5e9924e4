// What a client has been given of one answer, and what it takes to go on with it elsewhere. Chunks
// of whichever member answers come in; chunks for the client come out, as if one server had sent
// them all: one id, each choice opened once, each token once. One thread.
//
// Where a member tells token ids, chunks of a choice are kept back until one comes that has ids or
// ends the choice: what was given is then always the whole of some tokens, which the next member is
// told. docs/handover.md says why nothing is lost or doubled so. From others, what only opens a
// choice is kept back until there is something in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/answer_chunk.h"
#include "protocol/chunk_collector.h"
#include "protocol/request_outline.h"

namespace switchyard::gateway {

// Of what a member says that is not for the client yet, and may never be.
inline constexpr std::size_t kMostKeptBytes = 16 << 20;

// How the member that answers now was asked.
struct Source {
  bool tells_token_ids = false;
  // Its own name for the model, if the client is to see another: JSON.
  std::string shown_model = {};
  // It began anew, though some of the answer is with the client: that part is held back.
  bool repeats = false;
  // It goes on behind the text that the client has; tokens that made no text yet are not counted.
  bool continues = false;
  // It was asked by /v1/completions, with all tokens as the prompt.
  bool is_from_tokens = false;
};

enum class Heard : std::uint8_t {
  kNothing,  // that anybody waits for
  kTokens,
  kError,  // the member's word that it cannot go on
  kNotUnderstood,
  kOtherText,  // a repetition that is none
};

class AnswerLedger {
 public:
  AnswerLedger(protocol::Endpoint endpoint, const protocol::RequestOutline& request);

  // A member begins, or goes on after the last one failed.
  void Begin(Source source);
  // The data of an event, of which all is taken or nothing. What the client is to see is added to
  // `out`, as events; nothing is where the answer is wanted whole.
  Heard Take(std::string_view data, std::string& out);

  bool has_begun() const { return has_begun_; }  // the client has, or will get, part of it
  bool is_complete() const { return finished_ == choices_.size(); }
  // All that was given is known by its tokens.
  bool is_known_by_tokens() const { return is_known_by_tokens_; }
  // Arguments of a call or reasoning were given, which text alone does not bring back.
  bool has_more_than_text() const { return has_more_than_text_; }
  std::int64_t completion_tokens() const;
  std::int64_t prompt_tokens() const { return prompt_tokens_; }
  // Of the first choice that is not finished: what of its text was given.
  const std::string& text() const;

  // For the next member, as docs/member_protocol.md has it.
  std::string ResumeJson() const;
  // The prompt and what the client has of the one choice, up to the last token that made text: a
  // list of ids; empty if they are not known. And how many are the answer's.
  std::string TokensJson() const;
  std::int64_t settled_tokens() const { return choices_.front().tokens.settled_count; }
  // The one choice ends here, with the finish_reason "length".
  void EndByLength(std::string& out);
  // If the usage was wanted and none came, or it was not told: an event for it; else empty.
  std::string MissingUsage() const;
  // The body of an answer that was wanted whole.
  std::string Whole() const;
  // What the member said when Take heard an error: JSON.
  const std::string& error() const { return error_; }
  // "stop" and so on, of the first choice.
  const std::string& finish() const { return choices_.front().finish; }

 private:
  struct Tokens {
    std::string ids;  // "40,41"
    std::int64_t count = 0;
    std::size_t settled = 0;  // bytes of `ids`, up to the last that made text
    std::int64_t settled_count = 0;
  };
  struct Choice {
    Tokens tokens;  // of what was given
    std::string text;
    std::string finish;
    bool is_begun = false;
    bool is_finished = false;
    // Of the member that answers now.
    std::vector<std::string> held;  // chunks, not yet given
    std::string held_text;          // theirs
    bool holds_more = false;        // than text
    bool is_unsettled = false;      // text came whose token's id did not
    bool repeats = false;           // and has said nothing new yet
    std::size_t to_repeat = 0;      // bytes of `text` that are still to come again
    Tokens repeated;                // in place of `tokens` once it says something new
  };
  struct Part;
  Heard TakeChunk(std::string_view data, std::string& out);
  Heard TakeEach(std::string_view data, std::string& out);
  // Changes nothing. `held_bytes`: with what would be kept back of it.
  std::expected<Part, Heard> Look(const protocol::ChunkChoice& said, std::string_view data,
                                  std::size_t& held_bytes) const;
  Heard TakePart(const protocol::AnswerChunk& chunk, Part& part, std::string_view data,
                 std::string& out);
  void Count(Choice& choice, const Part& part) const;
  void Hold(Choice& choice, const Part& part, std::string_view data);
  void GiveHeld(Choice& choice, std::string& out);
  void Remember(const protocol::AnswerChunk& chunk);
  void Give(const protocol::AnswerChunk& chunk, std::string_view data, std::string& out);
  void GiveUsage(const protocol::AnswerChunk& chunk, std::string_view data, std::string& out);
  protocol::ChunkChanges Changes() const;
  std::string Head() const;  // of a chunk that the gateway makes: its first fields
  void Emit(std::string_view json, std::string& out);
  std::string FullUsage(std::string_view usage) const;

  const protocol::Endpoint endpoint_;
  const bool wants_usage_;
  const bool wants_token_ids_;
  const bool wants_extension_;
  const bool is_text_ = endpoint_ == protocol::Endpoint::kText;
  Source source_;
  std::vector<Choice> choices_;
  std::size_t choices_by_prompt_;
  std::vector<std::string> prompts_;  // token ids, JSON
  std::int64_t prompt_tokens_ = 0;
  std::int64_t tokens_before_ = 0;    // given by earlier members
  std::string id_, created_, model_;  // JSON, of the first chunk
  std::string usage_;                 // JSON, of the last
  std::string error_;
  std::unique_ptr<protocol::ChunkCollector> whole_;  // null: a stream
  std::size_t finished_ = 0;
  std::size_t held_bytes_ = 0;  // of all choices
  int members_ = 0;
  bool has_begun_ = false;
  bool is_known_by_tokens_ = true;
  bool has_more_than_text_ = false;
};

}  // namespace switchyard::gateway
