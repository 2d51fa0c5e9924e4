// switchyard_simt_text rows|blocks|ceiling: prints the text that a device's compiler gets, for the
// tests that give it to other compilers.
#include <cstdio>
#include <string_view>

#include "kernel_text.h"

int main(int argc, char** argv) {
  const std::string_view which = argc == 2 ? argv[1] : "";
  const std::string* text = nullptr;
  if (which == "rows") text = &switchyard::simt::RowKernelText();
  if (which == "blocks") text = &switchyard::simt::BlockKernelText();
  if (which == "ceiling") text = &switchyard::simt::CeilingKernelText();
  if (text == nullptr) {
    std::fprintf(stderr, "usage: switchyard_simt_text rows|blocks|ceiling\n");
    return 2;
  }
  std::fwrite(text->data(), 1, text->size(), stdout);
  return 0;
}
