#include "protocol/member_response.h"

#include "base/json.h"
#include "protocol/api_error.h"

namespace switchyard::protocol {
namespace {

using base::Json;

Json ResumeJson(const Resume& resume) {
  Json json = {{"id", resume.id},
               {"created", resume.created.value_or(0)},
               {"choices", Json::array()}};
  if (resume.prompts.size() == 1) {
    json["prompt_token_ids"] = resume.prompts.front();
  } else {
    json["prompt_token_ids"] = resume.prompts;
  }
  for (const ResumedChoice& choice : resume.choices) {
    json["choices"].push_back({{"index", choice.index},
                               {"token_ids", choice.token_ids},
                               {"finished", choice.is_finished}});
  }
  return json;
}

}  // namespace

std::string HandBackBody(const HandBack& hand_back) {
  return Json{{"error",
               {{"message", "This server is being drained and gives the answer back unfinished; ask "
                            "again, elsewhere or later."},
                {"type", "server_error"},
                {"param", nullptr},
                {"code", "switchyard_hand_back"}}},
              {"switchyard",
               {{"version", kMemberProtocolVersion},
                {"seed", hand_back.seed},
                {"hand_back", ResumeJson(hand_back.given)}}}}
      .dump();
}

std::string HandBackEvent(const HandBack& hand_back) {
  return "data: " + HandBackBody(hand_back) + "\n\n";
}

}  // namespace switchyard::protocol
