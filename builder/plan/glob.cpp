#include "builder/plan/glob.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::size_t k_max_pattern = 1024;
constexpr std::size_t k_max_components = 60;

// Takes one code point off the front; a byte that starts none counts as one itself.
std::uint32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint32_t value = length == 1 ? lead : lead & (0xffU >> (length + 1));
  if (length > text.size()) length = 1;
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) {
      length = 1;
      break;
    }
    value = value << 6 | (byte & 0x3f);
  }
  // Bytes that are no UTF-8 must not equal a character.
  if (length == 1 && lead >= 0x80) value = 0x110000U + lead;
  text.remove_prefix(length);
  return value;
}

// The text between '[' and its ']', which may hold a ']' in the first place.
std::string_view class_body(std::string_view after_bracket) {
  const std::size_t close = after_bracket.find(']', 1);
  return close == std::string_view::npos ? std::string_view()
                                         : after_bracket.substr(0, close);
}

bool class_has(std::string_view body, std::uint32_t wanted) {
  while (!body.empty()) {
    const std::uint32_t low = take_code_point(body);
    std::uint32_t high = low;
    if (body.size() >= 2 && body.front() == '-') {
      body.remove_prefix(1);
      high = take_code_point(body);
    }
    if (low <= wanted && wanted <= high) return true;
  }
  return false;
}

// Takes one element (not '*') off both, if they agree.
bool take_one(std::string_view& pattern, std::string_view& text) {
  if (text.empty()) return false;
  if (pattern.front() == '[') {
    const std::string_view body = class_body(pattern.substr(1));
    if (!class_has(body, take_code_point(text))) return false;
    pattern.remove_prefix(body.size() + 2);
    return true;
  }
  if (pattern.front() == '?') {
    pattern.remove_prefix(1);
    take_code_point(text);
    return true;
  }
  if (pattern.front() != text.front()) return false;
  pattern.remove_prefix(1);
  text.remove_prefix(1);
  return true;
}

// The usual trick: only the last '*' ever needs to take more.
bool component_matches(std::string_view pattern, std::string_view text) {
  bool starred = false;
  std::string_view star_pattern;
  std::string_view star_text;
  while (!text.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      starred = true;
      star_pattern = pattern;
      star_text = text;
      continue;
    }
    if (!pattern.empty() && take_one(pattern, text)) continue;
    if (!starred || star_text.empty()) return false;
    take_code_point(star_text);
    pattern = star_pattern;
    text = star_text;
  }
  return true;
}

// Calls `with` for each component; stops when it says false.
template <class With>
void each_component(std::string_view path, With with) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin && !with(path.substr(begin, end - begin))) return;
    begin = end + 1;
  }
}

std::optional<std::string> component_refusal(std::string_view component) {
  if (component == "..") return "holds `..`";
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] != '[') continue;
    const std::string_view body = class_body(component.substr(i + 1));
    if (body.empty()) return "has a `[` that is not closed";
    if (body.front() == '!' || body.front() == '^')
      return fmt::format("has a negated `[{}…]`, which patterns do not have",
                         body.front());
    i += body.size() + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> Glob::refusal(std::string_view pattern) {
  if (pattern.size() > k_max_pattern)
    return fmt::format("has {} bytes, the limit is {}", pattern.size(), k_max_pattern);
  std::size_t parts = 0;
  std::string_view last;
  std::optional<std::string> why;
  each_component(pattern, [&](std::string_view component) {
    if (component == ".") return true;
    if (component != "**" || last != "**") ++parts;
    last = component;
    why = component_refusal(component);
    return !why;
  });
  if (why) return why;
  if (parts == 0 && pattern.find('.') == std::string_view::npos) return "is empty";
  if (parts > k_max_components)
    return fmt::format("has more than {} parts", k_max_components);
  return std::nullopt;
}

Glob::Glob(std::string_view pattern) {
  if (const auto why = refusal(pattern)) {
    throw Error(Errc::bad_input,
                fmt::format("the pattern \"{}\" {}", pattern.substr(0, 80), *why));
  }
  each_component(pattern, [&](std::string_view component) {
    if (component == ".") return true;
    // "**/**" is "**".
    if (component == "**" && !components_.empty() && components_.back() == "**") {
      return true;
    }
    const bool wild = component.find_first_of("*?[") != std::string_view::npos;
    if (component == "**") any_ |= State{1} << components_.size();
    if (!text_.empty()) text_ += '/';
    text_ += component;
    components_.emplace_back(component);
    wild_.push_back(wild);
    literal_ = literal_ && !wild;
    return true;
  });
  accept_ = State{1} << components_.size();
  if (!components_.empty() && components_.back() == "**") cover_ = accept_ >> 1;
}

std::string Glob::literal_parent() const {
  std::string parent;
  for (std::size_t i = 0; i + 1 < components_.size() && !wild_[i]; ++i)
    parent += (i == 0 ? "" : "/") + components_[i];
  return parent;
}

// A "**" that is not the last component may stand for nothing.
Glob::State Glob::closure(State state) const {
  const State skippable = any_ & ~cover_;
  return state | (state & skippable) << 1;
}

Glob::State Glob::step(State state, std::string_view component) const {
  State next = state & any_;
  if (state & cover_) next |= accept_;
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if ((state >> i & 1) == 0 || (any_ >> i & 1) != 0) continue;
    const bool same = wild_[i] ? component_matches(components_[i], component)
                               : components_[i] == component;
    if (same) next |= State{1} << (i + 1);
  }
  return closure(next);
}

Glob::State Glob::state_after(std::string_view path) const {
  State state = start();
  each_component(path, [&](std::string_view component) {
    state = step(state, component);
    return state != 0;
  });
  return state;
}

PathFilter::PathFilter(const std::vector<std::string>& include,
                       const std::vector<std::string>& exclude)
    : include_(include.begin(), include.end()),
      exclude_(exclude.begin(), exclude.end()) {}

PathFilter::Verdict PathFilter::verdict(std::string_view path) const {
  for (const Glob& glob : exclude_) {
    Glob::State state = glob.start();
    bool out = (state & (glob.accept_ | glob.cover_)) != 0;
    each_component(path, [&](std::string_view component) {
      state = glob.step(state, component);
      out = out || (state & (glob.accept_ | glob.cover_)) != 0;
      return !out && state != 0;
    });
    if (out) return {false, false};
  }
  if (include_.empty()) return {};
  Verdict verdict{false, false};
  for (const Glob& glob : include_) {
    Glob::State state = glob.start();
    bool taken = (state & (glob.accept_ | glob.cover_)) != 0;
    each_component(path, [&](std::string_view component) {
      state = glob.step(state, component);
      taken = taken || (state & (glob.accept_ | glob.cover_)) != 0;
      return !taken && state != 0;
    });
    if (taken) return {true, true};
    verdict.descends = verdict.descends || state != 0;
  }
  return verdict;
}

}  // namespace lithify
