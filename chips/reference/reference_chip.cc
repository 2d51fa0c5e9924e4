// The reference chip: every operation as plain scalar code on this machine's processor. The truth
// that other chips are compared with, and where operations run that a chip lacks.
#include "host_memory_chip.h"

namespace switchyard::chips {
namespace {

class ReferenceDevice : public HostMemoryDevice {
 public:
  base::Status Compute(const ops::reference::Call& call) override {
    return ops::reference::Run(call);
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
  if (!options.empty()) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the reference chip has no option '{}'; it has none at all", options[0].name);
  }
  return std::make_unique<ReferenceDevice>();
}

}  // namespace

const HostMemoryChip kChip = {"reference", 1, Describe, Open};

}  // namespace switchyard::chips
