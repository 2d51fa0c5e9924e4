// Any bytes as a GGUF file: the reader refuses them or yields values and tensors that lie within.
#include <cstdlib>

#include "model/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  auto file = switchyard::model::GgufFile::Parse(bytes, "fuzz");
  if (!file) return 0;
  std::size_t touched = 0;
  for (const auto& [key, value] : file->metadata()) {
    if (auto text = file->GetString(key)) touched += text->size();
    if (auto strings = file->GetStrings(key)) {
      for (const std::string_view text : **strings) {
        if (!text.empty()) touched += static_cast<unsigned char>(text.back());
      }
    }
    touched += file->GetInt(key).has_value() + file->GetFloat(key).has_value() +
               file->GetBool(key).has_value() + file->GetInts(key).has_value() +
               file->GetFloats(key).has_value();
  }
  for (const auto& tensor : file->tensors()) {
    if (file->FindTensor(tensor.name) != &tensor || tensor.data.empty()) std::abort();
    if (tensor.data.data() < bytes.data() ||
        tensor.data.data() + tensor.data.size() > bytes.data() + bytes.size()) {
      std::abort();
    }
    touched += static_cast<std::size_t>(tensor.data.back());
  }
  [[maybe_unused]] volatile std::size_t read = touched;  // keeps the reads above
  return 0;
}
