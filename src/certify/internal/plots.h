// The plots of a certificate's page, each a <figure> that is HTML and XML at once. Rows of HTML
// hold the words and fluid SVG the marks, placed in shares of the width, so that a narrow screen
// makes the plot narrower and leaves the text as large as it was. Pure functions; values that are
// not finite stand at an edge and are named in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "certify/certificate.h"

namespace switchyard::certify::internal {

// "0.0213", "2.7×10⁻⁵", "1,234.5": three digits that count. "not finite" for what is not.
std::string NumberText(double value);
// "10,976"
std::string CountText(std::int64_t count);
// "37 %"
std::string PercentText(double share);

// KL of each scenario's positions, on one log axis, with the bounds.
std::string KlPlot(const std::vector<Divergence>& divergences, const KlBounds& bounds);
// How many tokens of each greedy text are the same.
std::string GreedyPlot(const std::vector<GreedyText>& texts);
// NMSE of the residual stream over the layers, log scale.
std::string DriftPlot(const std::vector<LayerDrift>& drift);
// Share of the ceiling of the most expensive operations of `phase`, with the marks of 20 and 80 %.
std::string CeilingPlot(const std::vector<OperationCost>& costs, std::string_view phase);

}  // namespace switchyard::certify::internal
