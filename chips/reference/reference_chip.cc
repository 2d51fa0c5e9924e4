// The reference chip: every operation as plain scalar code on this machine's processor. The truth
// that other chips are compared with, and where operations run that a chip lacks.
//
// Option of device_open: activations=f32|ggml. With ggml the device is not the truth but computes
// products on activations that are rounded as llama.cpp's CPU kernels round them.
#include <string_view>

#include "activation_rounding.h"
#include "host_memory_chip.h"

namespace switchyard::chips {
namespace {

class ReferenceDevice : public HostMemoryDevice {
 public:
  base::Status Compute(const ops::reference::Call& call) override {
    return ops::reference::Run(call);
  }
};

class RoundingDevice : public HostMemoryDevice {
 public:
  void Describe(sy_device_properties& properties) const override {
    SetText(properties.name, "Reference with the activations of ggml");
    SetText(properties.architecture, "plain scalar f64, activations rounded");
    properties.flags &= ~SY_DEVICE_REFERENCE;
  }
  base::Status Compute(const ops::reference::Call& call) override {
    return RunWithRoundedActivations(call);
  }
};

void Describe(std::uint32_t, sy_device_properties& properties) {
  SetText(properties.name, "Reference");
  SetText(properties.maker, "Switchyard");
  SetText(properties.architecture, "plain scalar f64");
  properties.flags = SY_DEVICE_HOST_MEMORY | SY_DEVICE_BATCH_INVARIANT | SY_DEVICE_REFERENCE;
  properties.proof = SY_PROOF_RUN_ON_SILICON;
}

base::Result<std::unique_ptr<HostMemoryDevice>> Open(std::uint32_t,
                                                     std::span<const sy_option> options) {
  bool rounds = false;
  for (const sy_option& option : options) {
    if (std::string_view(option.name) != "activations") {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "the reference chip has no option '{}'; 'activations' is all it has",
                        option.name);
    }
    rounds = std::string_view(option.value) == "ggml";
    if (!rounds && std::string_view(option.value) != "f32") {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "option activations={}: it must be f32 or ggml", option.value);
    }
  }
  if (rounds) return std::make_unique<RoundingDevice>();
  return std::make_unique<ReferenceDevice>();
}

}  // namespace

const HostMemoryChip kChip = {"reference", 1, Describe, Open};

}  // namespace switchyard::chips
