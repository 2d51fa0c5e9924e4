#include "server/chip_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/metric_text.h"

namespace switchyard::server {
namespace {

// The memory that the steps of decoding have read.
double ReadBytes(const engine::ReplicaStatus& replica, const ServingChip& chip) {
  return static_cast<double>(replica.decode_steps) * chip.weight_bytes +
         static_cast<double>(replica.decode_cached_tokens) * chip.kv_bytes_per_token;
}

}  // namespace

std::optional<double> CeilingShare(const engine::ReplicaStatus& replica, const ServingChip& chip) {
  if (!chip.memory_gb_s || replica.decode_s <= 0) return std::nullopt;
  return ReadBytes(replica, chip) / replica.decode_s / (*chip.memory_gb_s * 1e9);
}

std::uint64_t FallbackOperations(const engine::ReplicaStatus& replica, const ServingChip& chip) {
  return std::max(chip.fallback_operations, replica.fallback_operations);
}

std::string RenderChips(std::span<const engine::ReplicaStatus> replicas,
                        std::span<const ServingChip> chips, std::string_view labels) {
  // The value of chip `i`, or nothing where there is none to tell.
  using Value = std::function<std::string(std::size_t i)>;
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          const Value& value) {
    std::string text = base::MetricHead(name, type, help);
    for (std::size_t i = 0; i < chips.size(); ++i) {
      const std::string shown = value(i);
      if (shown.empty()) continue;
      // Two chips may be of one name.
      text += fmt::format("{}{{{},chip=\"{}\",replica=\"{}\"}} {}\n", name, labels,
                          base::LabelText(chips[i].name), i, shown);
    }
    return text;
  };
  std::string text = base::MetricHead("switchyard_chip_info", "gauge", "The chips that serve.");
  for (std::size_t i = 0; i < chips.size(); ++i) {
    text += fmt::format("switchyard_chip_info{{{},chip=\"{}\",replica=\"{}\",device=\"{}\"}} 1\n",
                        labels, base::LabelText(chips[i].name), i, base::LabelText(chips[i].device));
  }
  text += family("switchyard_fallback_operations", "gauge",
                 "Operations of a step that the chip lacks and the reference runs.",
                 [&](std::size_t i) {
                   const bool tells = replicas.size() == chips.size();
                   return fmt::format("{}", tells ? FallbackOperations(replicas[i], chips[i])
                                                  : chips[i].fallback_operations);
                 });
  text += family("switchyard_certified", "gauge",
                 "1: a certificate for the chip is in force; 0: there is none, or it has expired.",
                 [&](std::size_t i) { return IsInForce(chips[i].certificate) ? "1" : "0"; });
  text += family("switchyard_certificate_end_seconds", "gauge",
                 "The end of the chip's certificate, since 1970.", [&](std::size_t i) {
                   if (!chips[i].certificate) return std::string();
                   return fmt::format("{}",
                                      chips[i].certificate->end.time_since_epoch().count());
                 });
  if (replicas.size() != chips.size()) return text;  // an engine that does not tell
  text += family("switchyard_chip_up", "gauge", "1: it serves; 0: it was lost.",
                 [&](std::size_t i) { return replicas[i].is_lost ? "0" : "1"; });
  text += family("switchyard_chip_lost_total", "counter", "How often it was lost.",
                 [&](std::size_t i) { return replicas[i].is_lost ? "1" : "0"; });
  text += family("switchyard_requests_moved_total", "counter",
                 "Requests that went on elsewhere when it was lost.",
                 [&](std::size_t i) { return fmt::format("{}", replicas[i].requests_moved); });
  text += family("switchyard_decode_seconds_total", "counter",
                 "Time in steps that only decode.",
                 [&](std::size_t i) { return fmt::format("{:.6f}", replicas[i].decode_s); });
  text += family("switchyard_decode_read_bytes_total", "counter",
                 "Weights and KV cache that those steps read.", [&](std::size_t i) {
                   return fmt::format("{:.0f}", ReadBytes(replicas[i], chips[i]));
                 });
  text += family("switchyard_memory_ceiling_bytes_per_second", "gauge",
                 "Memory bandwidth that was measured on it.", [&](std::size_t i) {
                   return chips[i].memory_gb_s ? fmt::format("{:.0f}", *chips[i].memory_gb_s * 1e9)
                                               : std::string();
                 });
  text += family("switchyard_ceiling_share", "gauge",
                 "Share of that bandwidth which decoding reached, since the start.",
                 [&](std::size_t i) {
                   const auto share = CeilingShare(replicas[i], chips[i]);
                   return share ? fmt::format("{:.4f}", *share) : std::string();
                 });
  return text;
}

}  // namespace switchyard::server
