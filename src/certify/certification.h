// The whole of a certification, but for what only the program knows: fingerprints, dates and the
// signature. One thread; the model and the devices outlive the call.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/equivalence.h"
#include "certify/examination.h"
#include "certify/texts.h"

namespace switchyard::certify {

struct CertificationOptions {
  ops::Operands operands = ops::Operands::kF16;
  tensor::DType kv_dtype = tensor::DType::kF16;
  EquivalenceOptions equivalence;
  std::int64_t soak_steps = 12000;  // 0: none
  bool measure_efficiency = true;
};

// `ceilings`: what B can do at best, where that is known. The certificate's fingerprint must be
// filled in by the caller beforehand, as the verdict names the chips.
base::Status Certify(model::Model& model, const device::Target& a, const device::Target& b,
                     const Texts& texts, const CertificationOptions& options,
                     const Progress& progress, Certificate& certificate);

}  // namespace switchyard::certify
