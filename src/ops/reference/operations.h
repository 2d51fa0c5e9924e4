// The reference operations one by one; Run in reference.h chooses among them.
#pragma once

#include "base/error.h"
#include "ops/reference/reference.h"

namespace switchyard::ops::reference {

base::Status Embedding(const Call& call);
base::Status RowGather(const Call& call);

base::Status RmsNorm(const Call& call);

base::Status Linear(const Call& call);
base::Status GroupedLinear(const Call& call);
base::Status BatchedLinear(const Call& call);

base::Status Rope(const Call& call);

base::Status KvStore(const Call& call);
base::Status Attention(const Call& call);

base::Status GatedActivation(const Call& call);
base::Status Add(const Call& call);
base::Status Scale(const Call& call);
base::Status Copy(const Call& call);

base::Status TopK(const Call& call);
base::Status RouterTopK(const Call& call);
base::Status Combine(const Call& call);

}  // namespace switchyard::ops::reference
