#include "cli/speed_line.h"

#include <algorithm>

namespace switchyard::cli {

std::string SpeedLine(const AnswerTimes& times, ModelSession& session, const Ceilings& ceilings) {
  const sy_device_properties& properties = session.device().properties();
  const double prefill = static_cast<double>(times.prefill_tokens) / std::max(times.prefill_s, 1e-9);
  std::string line =
      fmt::format("prefill {} tokens, {:.0f} tokens/s", times.prefill_tokens, prefill);
  if (times.decode_steps > 0) {
    const double decode = static_cast<double>(times.decode_steps) / std::max(times.decode_s, 1e-9);
    line += fmt::format(" | decode {} tokens, {:.0f} tokens/s", times.decode_steps, decode);
    if (ceilings.memory_gb_s) {
      const double gb_s = decode * session.DecodeBytes(static_cast<double>(times.depth)) / 1e9;
      line += fmt::format(" = {:.1f} GB/s, {:.0f} % of the measured {:.1f} GB/s", gb_s,
                          100 * gb_s / *ceilings.memory_gb_s, *ceilings.memory_gb_s);
    }
  }
  line += fmt::format(" | {} ({}, {}, {} units) | weights {}", session.device().chip().name(),
                      properties.name, properties.architecture, properties.unit_count,
                      session.WeightTypes());
  return line;
}

}  // namespace switchyard::cli
