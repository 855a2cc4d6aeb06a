// error: the story of a failure, told from the inside out.
#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace oci;

TEST_CASE("context is added outwards, hints and places stay the innermost") {
  try {
    during([] { return "building hello"; },
           [] {
             during([] { return "reading a.yaml"; },
                    []() -> void {
                      throw Error(Errc::bad_input, "broken")
                          .add_hint("mend it")
                          .at({"a.yaml", 3, 1, 2}, "here")
                          .number("L0001");
                    });
           });
    FAIL("nothing was thrown");
  } catch (Error& error) {
    error.add_hint("too late").at({"b.yaml", 1, 1, 1}, "not here").number("L0002");
    CHECK(error.context() ==
          std::vector<std::string>{"reading a.yaml", "building hello"});
    CHECK(error.hint() == "mend it");
    CHECK(error.place().file == "a.yaml");
    CHECK(error.label() == "here");
    CHECK(error.id() == "L0001");
  }
}

TEST_CASE("during gives back what its body returns") {
  CHECK(during([] { return "adding"; }, [] { return 1 + 1; }) == 2);
}
