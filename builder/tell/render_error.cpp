#include "builder/tell/render_error.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr std::size_t k_widest = 100;
constexpr std::size_t k_narrowest = 40;

// A source line made visible, with the caret's place in columns.
struct Snippet {
  std::string text;
  std::size_t caret = 0;
  std::size_t length = 1;
};

// Columns used by the first `count` code points of `line` once they are visible.
std::size_t columns_before(std::string_view line, int count) {
  std::size_t at = 0;
  for (int i = 0; i < count && at < line.size(); ++i) {
    at += decode(line.substr(at)).bytes;
  }
  return display_width(visible(line.substr(0, at)));
}

// Keeps `room` columns of the snippet, around its caret.
void crop(Snippet& snippet, std::size_t room) {
  if (display_width(snippet.text) <= room) return;
  if (snippet.caret + std::min(snippet.length, room / 2) + 1 > room) {
    const std::size_t skip = snippet.caret - std::min(snippet.caret, room / 3);
    const std::string_view head = fitting_prefix(snippet.text, skip + 1);
    snippet.caret = snippet.caret + 1 - display_width(head);
    snippet.text = "…" + snippet.text.substr(head.size());
  }
  if (display_width(snippet.text) > room) {
    snippet.text = std::string(fitting_prefix(snippet.text, room - 1)) + "…";
  }
  snippet.length = std::min(snippet.length, room - std::min(room - 1, snippet.caret));
}

class Renderer {
 public:
  Renderer(const oci::Error& error, const SourceTexts& texts, const Style& style,
           Problem::Severity severity)
      : error_(error), texts_(texts), colour_(style.colour), severity_(severity) {
    const auto asked = static_cast<std::size_t>(std::max(style.width, 1));
    width_ = std::clamp(asked, k_narrowest, k_widest);
    int last = std::max(0, error.place().line);
    for (const auto& other : error.other_places())
      last = std::max(last, other.place.line);
    gutter_ = std::max<std::size_t>(2, std::to_string(last).size());
  }

  std::string render() {
    headline();
    if (!error_.place().file.empty()) {
      place(error_.place(), error_.label(), "-->", '^', paint_severity());
    }
    for (const auto& other : error_.other_places()) {
      place(other.place, other.label, ":::", '-', "1;34");
    }
    for (const auto& note : error_.notes())
      remark("note", note);
    for (const auto& doing : error_.context())
      remark("note", "while " + doing);
    if (!error_.hint().empty()) remark("help", error_.hint());
    return std::move(out_);
  }

 private:
  const char* paint_severity() const {
    return severity_ == Problem::Severity::error ? "1;31" : "1;33";
  }

  std::string paint(std::string_view text, const char* code) const {
    if (!colour_ || text.empty()) return std::string(text);
    return fmt::format("\033[{}m{}\033[0m", code, text);
  }

  std::string bar(std::string_view number) const {
    return paint(fmt::format("{:>{}} |", number, gutter_), "1;34");
  }

  void headline() {
    std::string word = severity_ == Problem::Severity::error ? "error" : "warning";
    if (!error_.id().empty()) word += "[" + visible(error_.id()) + "]";
    const std::size_t indent = word.size() + 2;
    const auto lines = wrap(visible(error_.what()), width_ - indent, width_ - indent);
    out_ += paint(word, paint_severity()) + ": " + paint(lines.front(), "1") + "\n";
    for (std::size_t i = 1; i < lines.size(); ++i) {
      out_ += std::string(indent, ' ') + paint(lines[i], "1") + "\n";
    }
  }

  void place(const oci::Place& where, const std::string& label, std::string_view arrow,
             char mark, const char* colour) {
    std::string name = visible(where.file);
    if (where.line > 0) name += fmt::format(":{}:{}", where.line, where.column);
    out_ += std::string(gutter_, ' ') + paint(arrow, "1;34") + " " + name + "\n";
    const auto line = texts_.line(where.file, where.line);
    if (!line) {
      if (!label.empty()) out_ += bar("") + " " + visible(label) + "\n";
      return;
    }
    Snippet snippet = cut(*line, where);
    out_ += bar("") + "\n";
    out_ += bar(std::to_string(where.line)) + " " + snippet.text + "\n";
    carets(snippet, visible(label), mark, colour);
  }

  Snippet cut(std::string_view line, const oci::Place& where) const {
    Snippet snippet;
    snippet.text = visible(line);
    const int before = std::max(0, where.column - 1);
    snippet.caret = columns_before(line, before);
    const std::size_t end = columns_before(line, before + std::max(1, where.length));
    snippet.length = std::max<std::size_t>(1, end - std::min(end, snippet.caret));
    crop(snippet, width_ - gutter_ - 3);
    return snippet;
  }

  // The label stands right of the carets, or below them where it does not fit.
  void carets(const Snippet& snippet, const std::string& label, char mark,
              const char* colour) {
    const std::size_t room = width_ - gutter_ - 3;
    const std::string line = std::string(snippet.caret, ' ') +
                             paint(std::string(snippet.length, mark), colour);
    const std::size_t used = snippet.caret + snippet.length + 1;
    if (used + display_width(label) <= room) {
      out_ +=
          bar("") + " " + line + (label.empty() ? "" : " " + paint(label, colour)) + "\n";
      return;
    }
    out_ += bar("") + " " + line + "\n";
    const std::size_t indent = std::min(snippet.caret, room / 3);
    for (const std::string& part : wrap(label, room - indent, room - indent)) {
      out_ += bar("") + " " + std::string(indent, ' ') + paint(part, colour) + "\n";
    }
  }

  // Newlines of a remark stay: a note may show several lines, all of them indented.
  void remark(std::string_view word, std::string_view text) {
    const std::string head = fmt::format("= {}: ", word);
    const std::size_t indent = gutter_ + 1 + head.size();
    bool first = true;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      for (const std::string& line :
           wrap(visible(text.substr(0, end)), width_ - indent, width_ - indent)) {
        out_ += first ? std::string(gutter_ + 1, ' ') + paint(head, "1") + line
                      : std::string(indent, ' ') + line;
        out_ += '\n';
        first = false;
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  const oci::Error& error_;
  const SourceTexts& texts_;
  bool colour_;
  Problem::Severity severity_;
  std::size_t width_ = k_widest;
  std::size_t gutter_ = 2;
  std::string out_;
};

}  // namespace

const std::string& SourceTexts::whole(const std::string& file) const {
  const auto found = texts_.find(file);
  if (found != texts_.end()) return found->second;
  throw oci::Error(oci::Errc::internal, file + " was not read");
}

std::optional<std::string_view> SourceTexts::line(const std::string& file,
                                                  int number) const {
  const auto found = texts_.find(file);
  if (found == texts_.end() || number < 1) return std::nullopt;
  std::string_view rest = found->second;
  for (int i = 1; i < number; ++i) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
  std::string_view line = rest.substr(0, rest.find('\n'));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string render_error(const oci::Error& error, const SourceTexts& texts,
                         const Style& style, Problem::Severity severity) {
  return Renderer(error, texts, style, severity).render();
}

int exit_code(const oci::Error& error) {
  switch (error.code()) {
    case oci::Errc::bad_input:
    case oci::Errc::not_found:
      return exits::k_usage;
    case oci::Errc::mismatch:
    case oci::Errc::untrusted:
      return exits::k_mismatch;
    case oci::Errc::refused:
      return exits::k_refused;
    case oci::Errc::stale:
      return exits::k_stale_lock;
    case oci::Errc::denied:
    case oci::Errc::unavailable:
      return exits::k_network;
    case oci::Errc::failed:
      return exits::k_step_failed;
    case oci::Errc::machine:
      return exits::k_machine;
    case oci::Errc::internal:
      break;
  }
  return exits::k_internal;
}

}  // namespace lithify
