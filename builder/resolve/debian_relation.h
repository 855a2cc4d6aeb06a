// debian_relation: Depends, Conflicts, Provides and their like, as data.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// "libc6:any (>= 2.36)". Views into the text that was parsed.
struct Relation {
  enum class Operator { none, earlier, at_most, exactly, at_least, later };
  std::string_view name;
  std::string_view qualifier;  // behind the colon: "any", "native", an architecture
  Operator op = Operator::none;
  std::string_view version;

  bool admits(std::string_view candidate) const;
  std::string str() const;  // for people: "libc6 (>= 2.36)"
};

using Alternatives = std::vector<Relation>;

std::string to_string(const Alternatives& alternatives);  // "a | b (= 1)"

// Reads "a | b (>= 1), c:any [amd64]". Alternatives whose architecture list leaves out
// `architecture` are dropped. `what` names the field in messages: "Depends of bash".
// Errc::bad_input for anything else, build profiles included. Limit: 20,000 relations.
std::vector<Alternatives> parse_relations(std::string_view text,
                                          std::string_view architecture,
                                          const std::string& what);

}  // namespace lithify
