// Glob: a pattern over paths, and include/exclude lists made of them. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// `*`, `?` and `[a-z]` within a component, `**` as a whole component for any number of
// them; `?` and `[…]` take one code point. No `!` and no escapes: `[*]` is a literal `*`.
// Paths are relative; slashes at either end and "." components of a pattern mean nothing.
// "a/**" is everything below a but not a itself; "a/**/b" includes "a/b". Time is
// proportional to pattern × path whatever both are.
class Glob {
 public:
  // Why the text is no pattern, after "the pattern": empty, "..", an unclosed or negated
  // "[", more than 1024 bytes or 60 components. nullopt if it is one.
  static std::optional<std::string> refusal(std::string_view pattern);
  // Errc::bad_input for what is no pattern.
  explicit Glob(std::string_view pattern);

  bool matches(std::string_view path) const { return state_after(path) & accept_; }
  // The pattern matches everything below the directory `path`.
  bool covers(std::string_view path) const { return state_after(path) & cover_; }
  // It could match something below the directory `path`.
  bool reaches_below(std::string_view path) const {
    return (state_after(path) & ~accept_) != 0;
  }
  // No wildcard in it: it names one path, which is literal().
  bool is_literal() const { return literal_; }
  const std::string& literal() const { return text_; }
  // The directory that every match is below as far as the pattern names it: of "a/b" it
  // is "a", of "a/b/*/c" it is "a/b".
  std::string literal_parent() const;

 private:
  friend class PathFilter;
  // Bit i: the first i components of the pattern have been matched.
  using State = std::uint64_t;
  State start() const { return closure(1); }
  State step(State state, std::string_view component) const;
  State closure(State state) const;
  State state_after(std::string_view path) const;

  std::string text_;  // normalised
  std::vector<std::string> components_;
  std::vector<bool> wild_;
  State any_ = 0;  // bits of "**" components
  State accept_ = 0;
  State cover_ = 0;
  bool literal_ = true;
};

// `include`, then `exclude`. A pattern that matches a directory speaks for everything
// below it, and "d/**" in `exclude` leaves out d as well. An empty `include` is
// everything.
class PathFilter {
 public:
  PathFilter() = default;
  PathFilter(const std::vector<std::string>& include,
             const std::vector<std::string>& exclude);

  bool takes(std::string_view path) const { return verdict(path).takes; }
  // Something below the directory `path` may be taken.
  bool descends(std::string_view path) const { return verdict(path).descends; }
  bool takes_all() const { return include_.empty() && exclude_.empty(); }
  bool includes_all() const { return include_.empty(); }

 private:
  struct Verdict {
    bool takes = true;
    bool descends = true;
  };
  Verdict verdict(std::string_view path) const;

  std::vector<Glob> include_;
  std::vector<Glob> exclude_;
};

}  // namespace lithify
