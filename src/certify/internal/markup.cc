#include "certify/internal/markup.h"

#include "certify/plain_text.h"

namespace switchyard::certify::internal {

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : PlainText(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace switchyard::certify::internal
