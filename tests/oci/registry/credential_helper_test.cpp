// Helpers that answer, fail, hang and shout.
#include "oci/registry/credential_helper.h"

#include <chrono>
#include <functional>
#include <thread>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/credential_helper_script.h"

using oci::Credential;
using oci::CredentialHelper;
using oci::Errc;
using oci::Error;
using oci::Secret;

namespace {

std::string denial(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    CHECK(e.code() == Errc::denied);
    return e.what();
  }
  return "";
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a helper is told the server and answers with a login") {
  HelperScripts scripts;
  scripts.add("good", R"(echo "$*" > $dir/words; cat > $dir/input
echo '{"ServerURL":"x","Username":"me","Secret":"pw"}')");
  const auto found = CredentialHelper("good").get("r.example", {});
  REQUIRE(found);
  CHECK(found->kind == Credential::Kind::password);
  CHECK(found->username == "me");
  CHECK(found->secret.reveal() == "pw");
  CHECK(found->origin == "docker-credential-good (asked for r.example)");
  CHECK(scripts.text("words") == "get\n");
  CHECK(scripts.text("input") == "r.example");
}

TEST_CASE("the user <token> means an identity token") {
  HelperScripts scripts;
  scripts.add("tokens", R"(echo '{"Username":"<token>","Secret":"rt"}')");
  const auto found = CredentialHelper("tokens").get("r.example", {});
  REQUIRE(found);
  CHECK(found->kind == Credential::Kind::identity_token);
}

TEST_CASE("a helper that knows nothing says so, and is no failure") {
  HelperScripts scripts;
  scripts.add("none", "echo 'credentials not found in native keychain'; exit 1");
  CHECK_FALSE(CredentialHelper("none").get("r.example", {}));
  CHECK_FALSE(CredentialHelper("none").erase("r.example", {}));
}

TEST_CASE("a helper that fails is told with its words, made harmless") {
  HelperScripts scripts;
  scripts.add("bad", "printf 'no \\033[31magent'; exit 3");
  const std::string text = denial([] { CredentialHelper("bad").get("r.example", {}); });
  CHECK(has(text, "docker-credential-bad fails for r.example: no ?[31magent"));
  scripts.add("mute", "echo 'to the other stream' >&2; exit 3");
  CHECK(has(denial([] { CredentialHelper("mute").get("r.example", {}); }),
            "to the other stream"));
  scripts.add("silent", "exit 3");
  CHECK(has(denial([] { CredentialHelper("silent").get("r.example", {}); }),
            "exit status 3"));
}

TEST_CASE("a helper that is not there is a failure") {
  CHECK(has(denial([] { CredentialHelper("not-there").get("r.example", {}); }),
            "docker-credential-not-there is not installed"));
}

TEST_CASE("what is no answer is refused without being shown") {
  HelperScripts scripts;
  scripts.add("odd", R"(echo '{"Secret":"sesame","Secret":"sesame"')");
  const std::string text = denial([] { CredentialHelper("odd").get("r.example", {}); });
  CHECK(has(text, "docker-credential-odd"));
  CHECK_FALSE(has(text, "sesame"));
  scripts.add("list", "echo '[]'");
  CHECK_FALSE(denial([] { CredentialHelper("list").get("r.example", {}); }).empty());
  scripts.add("empty", "echo '{}'");
  CHECK_FALSE(CredentialHelper("empty").get("r.example", {}));
}

TEST_CASE("a helper that says too much is ended") {
  HelperScripts scripts;
  scripts.add("loud", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done");
  CHECK(has(denial([] { CredentialHelper("loud").get("r.example", {}); }), "65536"));
}

TEST_CASE("a helper that complains at length is not held up") {
  HelperScripts scripts;
  scripts.add("moaning", R"(head -c 200000 /dev/zero >&2
echo '{"Username":"me","Secret":"pw"}')");
  CHECK(CredentialHelper("moaning").get("r.example", {}));
}

TEST_CASE("a daemon that a helper leaves behind is not waited for") {
  HelperScripts scripts;
  scripts.add("parent", R"(sleep 5 &
echo '{"Username":"me","Secret":"pw"}')");
  const auto start = std::chrono::steady_clock::now();
  CHECK(CredentialHelper("parent").get("r.example", {}));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
}

TEST_CASE("a helper that hangs ends with a stop") {
  HelperScripts scripts;
  scripts.add("stuck", "exec sleep 60");
  std::stop_source source;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    source.request_stop();
  });
  CHECK_THROWS_AS(CredentialHelper("stuck").get("r.example", source.get_token()),
                  oci::Cancelled);
}

TEST_CASE("a login is stored and erased by a helper") {
  HelperScripts scripts;
  scripts.add("keeper", R"(case "$1" in
store) cat > $dir/kept ;;
get) cat > /dev/null; [ -e $dir/kept ] || { echo 'credentials not found in native keychain'; exit 1; }; cat $dir/kept ;;
erase) cat > $dir/erased; rm $dir/kept ;;
esac)");
  const CredentialHelper helper("keeper");
  helper.store("r.example", "me", Secret("p\"w"), {});
  CHECK(scripts.text("kept") ==
        R"({"Secret":"p\"w","ServerURL":"r.example","Username":"me"})");
  CHECK(helper.get("r.example", {})->secret.reveal() == "p\"w");
  CHECK(helper.erase("r.example", {}));
  CHECK(scripts.text("erased") == "r.example");
  CHECK_FALSE(helper.erase("r.example", {}));
}

TEST_CASE("a helper's name is a name and no path, and a server is one line") {
  for (const char* name : {"", "../x", "a/b", "a b", "a;b", "a\nb"}) {
    CHECK_THROWS_AS(CredentialHelper(name), Error);
  }
  CHECK_THROWS_AS(CredentialHelper(std::string(65, 'a')), Error);
  CHECK_THROWS_AS(CredentialHelper("x").get("a\nb", {}), Error);
}
