// Fields that would change an answer and that this server does not act on: refused by name, never
// ignored. A value that asks for nothing (null, "none", false, …) passes.
#pragma once

#include "protocol/field_reader.h"

namespace switchyard::protocol {

enum class Endpoint { kChat, kText };

void RefuseUnsupported(FieldReader& reader, Endpoint endpoint);

}  // namespace switchyard::protocol
