// Text from outside made harmless: for certificates, and for the page that shows them, which is
// HTML and XML at once.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::certify::internal {

// `text` as UTF-8 that every reader of JSON and XML takes: broken sequences, characters that XML
// forbids, control characters but for tab and line feed, and those that reverse the direction of
// what follows become U+FFFD.
std::string PlainText(std::string_view text);

// PlainText for between tags and between quotes.
std::string Escape(std::string_view text);

}  // namespace switchyard::certify::internal
