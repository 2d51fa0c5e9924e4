// Text from outside for the page, which is HTML and XML at once.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::certify::internal {

// PlainText for between tags and between quotes.
std::string Escape(std::string_view text);

}  // namespace switchyard::certify::internal
