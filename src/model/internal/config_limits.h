// What both readers of configurations share: the greatest values that are believed, and the checks
// between fields.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "model/internal/field_reader.h"
#include "model/model_config.h"

namespace switchyard::model::internal {

// Several times what any published model has; small enough that products of three fit 63 bits.
inline constexpr FieldReader::IntRange kHiddenRange{1, 1 << 18};
inline constexpr FieldReader::IntRange kFfnRange{1, 1 << 20};
inline constexpr FieldReader::IntRange kLayerRange{1, 1024};
inline constexpr FieldReader::IntRange kHeadRange{1, 4096};
inline constexpr FieldReader::IntRange kHeadDimRange{1, 4096};
inline constexpr FieldReader::IntRange kVocabularyRange{1, 1 << 22};
inline constexpr FieldReader::IntRange kContextRange{1, 1 << 28};
inline constexpr FieldReader::IntRange kExpertRange{0, 4096};
inline constexpr FieldReader::FloatRange kEpsRange{0.0, 1.0};
inline constexpr FieldReader::FloatRange kThetaRange{1.5, 1e12};
inline constexpr FieldReader::FloatRange kFactorRange{1e-3, 1e6};
inline constexpr FieldReader::FloatRange kSoftcapRange{0.0, 1e6};

// The facts that hold whatever the source: heads share evenly, rotary dims are even, and so on.
base::Status CheckConfig(const ModelConfig& config);

// YaRN's factor on attention: 0.1 * ln(factor) + 1 (arXiv:2309.00071, equation 22).
double YarnAttentionFactor(double factor);

// A window in each layer but every `pattern`-th.
std::vector<std::uint32_t> AlternatingWindows(std::int64_t layers, std::int64_t pattern,
                                              std::uint32_t window);

}  // namespace switchyard::model::internal
