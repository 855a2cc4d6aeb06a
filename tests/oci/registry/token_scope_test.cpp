// Scopes compared by what they allow.
#include "oci/registry/token_scope.h"

#include "tests/support/catch.h"

using oci::merged_scopes;
using oci::missing_scopes;
using oci::scope_key;
using oci::Scopes;
using oci::split_scopes;

TEST_CASE("scopes of one resource become one, where it stood first") {
  CHECK(merged_scopes({"repository:b:push,pull", "repository:a:pull",
                       "repository:b:pull,delete"}) ==
        Scopes{"repository:b:delete,pull,push", "repository:a:pull"});
  CHECK(merged_scopes({"repository:host:5000/a:pull"}) ==
        Scopes{"repository:host:5000/a:pull"});
  CHECK(merged_scopes({"nonsense", "registry:catalog:*"}) ==
        Scopes{"registry:catalog:*"});
}

TEST_CASE("sets that allow the same have one key") {
  CHECK(scope_key({"repository:a:pull", "repository:b:push,pull"}) ==
        scope_key({"repository:b:pull,push", "repository:a:pull"}));
  CHECK(scope_key({"repository:a:pull"}) != scope_key({"repository:a:push"}));
}

TEST_CASE("what is missing is what the other set does not allow") {
  CHECK(missing_scopes({"repository:a:pull,push"}, {"repository:a:pull"}).empty());
  CHECK(missing_scopes({"repository:a:*"}, {"repository:a:delete"}).empty());
  CHECK(missing_scopes({"repository:a:pull"}, {"repository:a:pull,push"}) ==
        Scopes{"repository:a:push"});
  CHECK(missing_scopes({"repository:a:pull"}, {"repository:b:pull"}) ==
        Scopes{"repository:b:pull"});
}

TEST_CASE("the scopes of a challenge have limits") {
  CHECK(split_scopes(" a:b:c  d:e:f ") == Scopes{"a:b:c", "d:e:f"});
  CHECK(split_scopes("").empty());
  CHECK(split_scopes("a:b:c\n").empty());
  CHECK(split_scopes(std::string(2000, 'a') + " a:b:c") == Scopes{"a:b:c"});
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "a:b:c ";
  CHECK(split_scopes(many).size() == 16);
}
