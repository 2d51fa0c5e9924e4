// A small decoder run again and again, in shapes drawn at random, on several threads and queues of
// one device: what fails only after hours in service, in the time that one has.
//
// Each thread keeps a few decoders alive. The first run of each is compared with the reference,
// each later one with the bits of the first; now and then the oldest gives way to a new one. At the
// end everything is destroyed and its memory must be there again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "conformance/session.h"

namespace switchyard::conformance {

struct SoakOptions {
  double seconds = 0;      // 0: until `runs` are done
  std::uint64_t runs = 0;  // 0: until `seconds` have passed
  std::uint64_t seed = 1;
  int threads = 4;
};

struct SoakCounts {
  std::uint64_t runs = 0;                 // program_run of the device
  std::uint64_t compared_with_first = 0;  // results, with the bits of the first run
  std::uint64_t compared_with_truth = 0;  // results, with the reference
  double seconds = 0;
};

struct SoakResult {
  SoakCounts counts;
  std::string complaint;  // empty if all was well
  std::string memory;     // what was found of it, as a sentence
};

// `on_progress` is called from this thread, every two seconds. kUnimplemented if the chip has none
// of the operations that the soak could use.
base::Result<SoakResult> Soak(Session& tested, Session& truth, const SoakOptions& options,
                              const std::function<void(const SoakCounts&)>& on_progress);

}  // namespace switchyard::conformance
