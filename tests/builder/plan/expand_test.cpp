// Variables in a text.
#include "builder/plan/expand.h"

#include "tests/support/catch.h"

using lithify::expand_variables;

TEST_CASE("variables are put into a text") {
  const auto value = [](const std::string& name) {
    return name == "A"    ? std::optional<std::string>("$B")
           : name == "_1" ? std::optional<std::string>("")
                          : std::nullopt;
  };
  CHECK(expand_variables("", value) == "");
  CHECK(expand_variables("no variable", value) == "no variable");
  CHECK(expand_variables("$A", value) == "$B");  // once
  CHECK(expand_variables("x${A}y$A.z", value) == "x$By$B.z");
  CHECK(expand_variables("$_1${_1}.", value) == ".");
  CHECK(expand_variables("$AB ${AB} $B", value) == "$AB ${AB} $B");
  CHECK(expand_variables("$ $$ $- ${ ${} ${A $", value) == "$ $$ $- ${ ${} ${A $");
  CHECK(expand_variables("$$A", value) == "$$B");
}
