// debian_relation: a small grammar read by hand.
#include "builder/resolve/debian_relation.h"

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/resolve/deb822.h"
#include "builder/resolve/debian_version.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_relations = 20'000;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         c == '+' || c == '-' || c == '.' || c == '_';
}

// "linux-any" and "any-amd64" are wildcards; only the linux kernel is known here.
bool architecture_matches(std::string_view pattern, std::string_view architecture) {
  if (pattern == "any" || pattern == "linux-any" || pattern == architecture) return true;
  return pattern.substr(0, 4) == "any-" && pattern.substr(4) == architecture;
}

class RelationParser {
 public:
  RelationParser(std::string_view text, std::string_view architecture,
                 const std::string& what)
      : whole_(text), rest_(text), architecture_(architecture), what_(what) {}

  std::vector<Alternatives> parse() {
    std::vector<Alternatives> all;
    for (skip_blanks(); !rest_.empty(); skip_blanks()) {
      if (take(',')) continue;
      Alternatives alternatives;
      do {
        Relation relation;
        if (parse_one(relation)) alternatives.push_back(relation);
      } while (take('|'));
      if (!rest_.empty() && !take(',')) fail("a comma");
      if (!alternatives.empty()) all.push_back(std::move(alternatives));
    }
    return all;
  }

 private:
  // False if the relation is not for our architecture.
  bool parse_one(Relation& relation) {
    if (++count_ > k_max_relations) fail("an end");
    relation.name = take_name();
    if (take(':')) relation.qualifier = take_name();
    if (take('(')) {
      relation.op = take_operator();
      relation.version = take_until(')');
    }
    return !take('[') || list_matches(take_until(']'));
  }

  bool list_matches(std::string_view list) const {
    bool negated = false;
    for (std::string_view pattern : split_words(list)) {
      const bool excludes = pattern.front() == '!';
      if (excludes) pattern.remove_prefix(1);
      if (architecture_matches(pattern, architecture_)) return !excludes;
      negated = negated || excludes;
    }
    return negated;
  }

  Relation::Operator take_operator() {
    skip_blanks();
    using Operator = Relation::Operator;
    // The old single < and > mean "or equal" (Debian Policy 7.1).
    static constexpr std::pair<std::string_view, Operator> k_operators[] = {
        {"<<", Operator::earlier},  {"<=", Operator::at_most}, {">>", Operator::later},
        {">=", Operator::at_least}, {"=", Operator::exactly},  {"<", Operator::at_most},
        {">", Operator::at_least}};
    for (const auto& [sign, op] : k_operators) {
      if (rest_.substr(0, sign.size()) != sign) continue;
      rest_.remove_prefix(sign.size());
      return op;
    }
    fail("one of << <= = >= >>");
  }

  std::string_view take_name() {
    skip_blanks();
    std::size_t size = 0;
    while (size < rest_.size() && is_name_character(rest_[size]))
      ++size;
    if (size == 0) fail("a package name");
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return name;
  }

  std::string_view take_until(char closing) {
    const std::size_t end = rest_.find(closing);
    const std::string_view inside = trim(rest_.substr(0, end));
    if (end == std::string_view::npos || inside.empty()) fail("something in brackets");
    rest_.remove_prefix(end + 1);
    return inside;
  }

  bool take(char c) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' ||
                              rest_.front() == '\n' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }

  [[noreturn]] void fail(std::string_view expected) const {
    const std::string_view found = rest_.substr(0, 20);
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("the {} at character {} expects {} instead of \"{}\"", what_,
                    whole_.size() - rest_.size() + 1, expected, found));
  }

  std::string_view whole_;
  std::string_view rest_;
  std::string_view architecture_;
  const std::string& what_;
  std::size_t count_ = 0;
};

std::string_view sign_of(Relation::Operator op) {
  switch (op) {
    case Relation::Operator::earlier:
      return "<<";
    case Relation::Operator::at_most:
      return "<=";
    case Relation::Operator::exactly:
      return "=";
    case Relation::Operator::at_least:
      return ">=";
    case Relation::Operator::later:
      return ">>";
    case Relation::Operator::none:
      break;
  }
  return "";
}

}  // namespace

bool Relation::admits(std::string_view candidate) const {
  if (op == Operator::none) return true;
  const auto order = compare_versions(candidate, version);
  switch (op) {
    case Operator::earlier:
      return order < 0;
    case Operator::at_most:
      return order <= 0;
    case Operator::exactly:
      return order == 0;
    case Operator::at_least:
      return order >= 0;
    case Operator::later:
      return order > 0;
    case Operator::none:
      break;
  }
  return true;
}

std::string Relation::str() const {
  std::string text(name);
  if (!qualifier.empty()) text += fmt::format(":{}", qualifier);
  if (op != Operator::none) text += fmt::format(" ({} {})", sign_of(op), version);
  return text;
}

std::string to_string(const Alternatives& alternatives) {
  std::string text;
  for (const Relation& relation : alternatives) {
    if (!text.empty()) text += " | ";
    text += relation.str();
  }
  return text;
}

std::vector<Alternatives> parse_relations(std::string_view text,
                                          std::string_view architecture,
                                          const std::string& what) {
  return RelationParser(text, architecture, what).parse();
}

}  // namespace lithify
