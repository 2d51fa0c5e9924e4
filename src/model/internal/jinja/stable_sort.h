// A stable merge sort. Unlike the standard library's sorts it stays within the range whatever the
// comparison answers, as a template's values (a NaN among them) need not have a consistent order;
// and it can be left by an exception.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace switchyard::model::jinja {

template <typename T, typename Less>
void StableSort(std::vector<T>* items, Less less) {
  std::vector<T> merged(*items);
  for (std::size_t width = 1; width < items->size(); width *= 2) {
    for (std::size_t start = 0; start < items->size(); start += 2 * width) {
      const std::size_t middle = std::min(start + width, items->size());
      const std::size_t end = std::min(start + 2 * width, items->size());
      std::size_t left = start;
      std::size_t right = middle;
      for (std::size_t i = start; i < end; ++i) {
        const bool takes_right =
            left == middle || (right < end && less((*items)[right], (*items)[left]));
        merged[i] = (*items)[takes_right ? right++ : left++];
      }
    }
    items->swap(merged);
  }
}

}  // namespace switchyard::model::jinja
