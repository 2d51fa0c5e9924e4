// The fixed texts that certification runs a model on: data/certification/, built into the program,
// so that every certificate is about the same ones. Pure.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "certify/equivalence.h"
#include "model/model.h"

namespace switchyard::certify {

struct Texts {
  std::vector<std::vector<model::TokenId>> passages;
  std::vector<Prompt> prompts;  // through the model's chat template where it has one
};

base::Result<Texts> TokeniseTexts(const model::Model& model);

// As they lie in data/certification/.
std::span<const std::string_view> PassageTexts();
std::string_view PromptsJson();

}  // namespace switchyard::certify
