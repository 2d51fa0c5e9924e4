// Runs a model's forward pass on two chips operation by operation, each operation of B on A's
// inputs, so that an error is found where it arises and is not carried on. Pages of the KV cache
// are the exception: each chip keeps its own, filled from A's keys and values.
//
// One thread. The model and the devices outlive the call.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "certify/certificate.h"
#include "device/program.h"
#include "model/model.h"
#include "ops/tolerances.h"

namespace switchyard::certify {

// Told as work goes on; `total` is an estimate where nobody knows.
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

struct ExaminationOptions {
  ops::Operands operands = ops::Operands::kF16;
  tensor::DType kv_dtype = tensor::DType::kF16;
  tensor::DType activation_dtype = tensor::DType::kF32;  // as B takes them
  std::int64_t page_size = 32;                           // rounded up to what both chips want
  std::int64_t batch_tokens = 1024;                      // of the largest step, about
  std::int64_t batch_sequences = 16;
};

struct Examination {
  std::vector<OperationAgreement> operations;
  std::vector<OperationExcess> excesses;  // the first of them, in the order of the program
  std::vector<std::string> guilty;        // operations, each once, in that order
};

// `text`: any tokens of the model's vocabulary, at least 512.
base::Result<Examination> Examine(model::Model& model, const device::Target& a,
                                  const device::Target& b, std::span<const model::TokenId> text,
                                  const ExaminationOptions& options, const Progress& progress);

// The residual stream after each layer of a whole prefill of `text`, on each chip by itself.
base::Result<std::vector<LayerDrift>> MeasureDrift(model::Model& model, const device::Target& a,
                                                   const device::Target& b,
                                                   std::span<const model::TokenId> text,
                                                   const ExaminationOptions& options);

}  // namespace switchyard::certify
