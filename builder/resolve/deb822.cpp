// deb822: line by line, without a copy.
#include "builder/resolve/deb822.h"

#include <algorithm>

#include "oci/base/error.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_fields = 1000;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_field_name(std::string_view name) {
  if (name.empty() || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const auto end = std::find_if(text.begin(), text.end(), is_blank);
    const auto size = static_cast<std::size_t>(end - text.begin());
    words.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return words;
}

std::string_view Stanza::get(std::string_view name) const {
  for (const Field& field : fields_) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

std::string_view Deb822Reader::take_line() {
  const std::size_t end = rest_.find('\n');
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  ++line_;
  return line;
}

bool Deb822Reader::next(Stanza& stanza) {
  stanza.fields_.clear();
  while (!rest_.empty()) {
    const std::string_view line = take_line();
    if (!line.empty() && line.front() == '#') continue;
    if (trim(line).empty()) {
      if (stanza.fields_.empty()) continue;
      return true;
    }
    add_line(stanza, line);
  }
  return !stanza.fields_.empty();
}

void Deb822Reader::add_line(Stanza& stanza, std::string_view line) {
  std::vector<Field>& fields = stanza.fields_;
  if (line.front() == ' ' || line.front() == '\t') {
    if (fields.empty()) fail("a continuation line has no field before it");
    std::string_view& value = fields.back().value;
    // Comments may stand between; the view then spans them, which no reader of such a
    // field (Signed-By, file lists) is hurt by: they are words of no meaning there.
    value = trim(std::string_view(
        value.data(),
        static_cast<std::size_t>(line.data() + line.size() - value.data())));
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_field_name(line.substr(0, colon))) {
    fail("expected \"Field: value\"");
  }
  if (fields.empty()) stanza.line_ = line_;
  if (fields.size() >= k_max_fields) fail("a stanza has more than 1000 fields");
  const std::string_view name = line.substr(0, colon);
  for (const Field& field : fields) {
    if (field.name.size() == name.size() && equal_ignoring_case(field.name, name)) {
      fail("the field " + std::string(name) + " is given twice");
    }
  }
  fields.push_back({name, trim(line.substr(colon + 1))});
}

void Deb822Reader::fail(const std::string& message) const {
  throw oci::Error(oci::Errc::bad_input, message).at({file_, line_});
}

}  // namespace lithify
