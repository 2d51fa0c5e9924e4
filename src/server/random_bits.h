// Random numbers for ids and seeds. Any thread.
#pragma once

#include <cstdint>

namespace switchyard::server {

std::uint64_t RandomBits();

}  // namespace switchyard::server
