// What is known of a member at one moment, as it said itself or as probing found. Values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/route_facts.h"

namespace switchyard::gateway {

// How an answer that a member began can go on elsewhere, and how one can go on there. The numbers
// are the and the clients' (in headers and comments).
enum class HandOverLevel : std::uint8_t {
  kNone = 0,      // only an error in the stream
  kTokens = 1,    // from token ids, exactly
  kContinue = 2,  // from the text of the unfinished message
  kRestart = 3,   // anew; what was sent already is held back if it is the same
};

enum class Known : std::uint8_t { kUnknown, kNo, kYes };

// What a member can do beyond OpenAI's protocol.
struct Abilities {
  Known resume = Known::kUnknown;         // docs/member_protocol.md, "switchyard": {"resume": …}
  Known token_ids = Known::kUnknown;      // return_token_ids
  // Token ids as the prompt of /v1/completions, which tells the answer's.
  Known token_prompts = Known::kUnknown;
  Known continuation = Known::kUnknown;   // continue_final_message
  friend bool operator==(const Abilities&, const Abilities&) = default;
};

// Of our own servers, also before they have said a word.
inline constexpr Abilities kOurAbilities{Known::kYes, Known::kYes, Known::kYes, Known::kYes};

// The best level on which an answer can be taken over by a member of these abilities.
HandOverLevel LevelOf(const Abilities& abilities);

struct ModelState {
  std::string name = {};                  // the fleet's
  std::string upstream = {};              // the member's
  std::vector<std::string> aliases = {};  // other names of it there
  std::int64_t context_tokens = 0;        // 0: not known
  policy::CertificateState certificate = policy::CertificateState::kNone;
  std::string sha256 = {};      // of the model's files; empty: not known
  std::int64_t vocabulary = 0;  // 0: not known
  bool is_deterministic = false;

  // The member knows it by that name.
  bool IsCalled(std::string_view name) const;
  friend bool operator==(const ModelState&, const ModelState&) = default;
};

struct MemberState {
  bool is_heard_of = false;  // it has answered at some time
  bool is_lost = false;      // it has not answered the last times
  bool is_draining = false;  // by its own word
  std::string trouble = {};  // why it is lost, a sentence
  policy::Load load = {};    // in_flight, rates and latencies are not its to tell
  std::vector<ModelState> models = {};
  Abilities abilities = {};
  std::string program = {};  // what it is, such as a version
};

}  // namespace switchyard::gateway
