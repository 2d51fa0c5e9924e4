// What a report says of an operation in a model's list: where it stands, on which weight and shapes
// it works, and what it must move and compute at least. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/weight_table.h"
#include "ops/op_list.h"
#include "tensor/dtype.h"

namespace switchyard::certify {

// By operation: the layer it belongs to, from its weight's name ("blk.3.attn_q.weight") or else its
// neighbours'; -1 before the first layer and after the last.
std::vector<std::int64_t> LayersOf(const ops::OpList& list, const device::WeightTable& weights);

struct OperationFacts {
  std::string operation;    // "linear"
  std::string weight;       // its name; empty if there is none
  std::string weight_type;  // "q4_1"; of attention and kv_store the pages' type
  std::string shape;        // "[7, 576] x [1536, 576]"
  tensor::DType activation = tensor::DType::kF32;
  tensor::DType stored = tensor::DType::kF32;  // of the weight or the pages
  // What it must do at least.
  double bytes = 0;        // of activations, weights and pages moved
  double flop = 0;         // multiply-adds, 2 each
  std::string arithmetic;  // the type whose ceiling binds `flop`: "i8"
};

// `depth`: keys that a query of attention sees, on average.
OperationFacts FactsOf(const ops::OpList& list, std::uint32_t op,
                       const device::WeightTable& weights, double depth = 0);

}  // namespace switchyard::certify
