// challenge: a reader of RFC 9110's challenges that knows what servers really send.
#include "oci/registry/challenge.h"

#include <optional>

namespace oci {

namespace {

constexpr std::size_t k_max_line = 16 * 1024;
constexpr std::size_t k_max_challenges = 32;

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_token_char(char c) {
  constexpr std::string_view k_marks = "!#$%&'*+-.^_`|~";
  return is_letter_or_digit(c) || k_marks.find(c) != std::string_view::npos;
}

bool is_token68_char(char c) {
  constexpr std::string_view k_marks = "-._~+/";
  return is_letter_or_digit(c) || k_marks.find(c) != std::string_view::npos;
}

// RFC 9110 wants URLs in quotes; not every server does that.
bool is_bare_value_char(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != 0x7f && c != ',' && c != '"';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// One header line. A reading function moves on if it finds its thing, and stays where it
// was if not.
class Line {
 public:
  explicit Line(std::string_view text) : text_(text) {}

  // nullopt at the end of the line, and at what cannot be read.
  std::optional<Challenge> next() {
    skip_separators();
    Challenge challenge;
    challenge.scheme = lower(take(is_token_char));
    if (challenge.scheme.empty()) return std::nullopt;
    const bool blank = skip_blanks();
    if (at_element_end()) return challenge;
    if (!blank) return std::nullopt;
    if (take_parameter(challenge)) {
      if (!take_parameters(challenge)) return std::nullopt;
    } else if (!take_token68(challenge)) {
      return std::nullopt;
    }
    return challenge;
  }

 private:
  bool done() const { return at_ >= text_.size(); }
  bool is_at(char c) const { return !done() && text_[at_] == c; }
  bool at_element_end() const { return done() || is_at(','); }

  bool skip_blanks() {
    const std::size_t start = at_;
    while (is_at(' ') || is_at('\t'))
      ++at_;
    return at_ != start;
  }
  void skip_separators() {
    while (skip_blanks() || is_at(',')) {
      if (is_at(',')) ++at_;
    }
  }
  std::string take(bool (*belongs)(char)) {
    const std::size_t start = at_;
    while (!done() && belongs(text_[at_]))
      ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  std::optional<std::string> take_quoted() {
    std::string value;
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      char c = text_[i];
      if (c == '"') {
        at_ = i + 1;
        return value;
      }
      if (c == '\\' && ++i < text_.size()) c = text_[i];
      if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) break;
      value += c;
    }
    return std::nullopt;
  }

  std::optional<std::string> take_value() {
    if (is_at('"')) return take_quoted();
    if (is_at('=')) return std::nullopt;  // the padding of a token68
    std::string value = take(is_bare_value_char);
    if (value.empty()) return std::nullopt;
    return value;
  }

  bool take_parameter(Challenge& challenge) {
    const std::size_t start = at_;
    std::string name = lower(take(is_token_char));
    skip_blanks();
    if (!name.empty() && is_at('=')) {
      ++at_;
      skip_blanks();
      if (std::optional<std::string> value = take_value()) {
        challenge.parameters.emplace(std::move(name), std::move(*value));
        return true;
      }
    }
    at_ = start;
    return false;
  }

  // The rest of a list that has begun. False if it is no list.
  bool take_parameters(Challenge& challenge) {
    for (;;) {
      skip_blanks();
      if (!at_element_end()) return false;
      const std::size_t end = at_;
      skip_separators();
      if (done()) return true;
      if (take_parameter(challenge)) continue;
      // Another challenge, if anything: next() finds out.
      const bool broken = starts_parameter();
      at_ = end;
      return !broken;
    }
  }

  bool take_token68(Challenge& challenge) {
    const std::size_t start = at_;
    std::string text = take(is_token68_char);
    if (!text.empty()) {
      text += take([](char c) { return c == '='; });
      skip_blanks();
      if (at_element_end()) {
        challenge.token68 = std::move(text);
        return true;
      }
    }
    at_ = start;
    return false;
  }

  // A name and "=" whose value could not be read.
  bool starts_parameter() const {
    Line ahead(text_.substr(at_));
    const bool named = !ahead.take(is_token_char).empty();
    ahead.skip_blanks();
    return named && ahead.is_at('=');
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string Challenge::parameter(std::string_view name) const {
  const auto found = parameters.find(std::string(name));
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(std::span<const std::string> lines) {
  std::vector<Challenge> challenges;
  for (const std::string& text : lines) {
    if (text.size() > k_max_line) continue;
    Line line(text);
    while (challenges.size() < k_max_challenges) {
      std::optional<Challenge> challenge = line.next();
      if (!challenge) break;
      challenges.push_back(std::move(*challenge));
    }
  }
  return challenges;
}

}  // namespace oci
