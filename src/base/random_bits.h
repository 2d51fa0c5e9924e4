// Random numbers for ids and seeds; not for secrets. Any thread.
#pragma once

#include <cstdint>

namespace switchyard::base {

std::uint64_t RandomBits();

}  // namespace switchyard::base
