// Every form in which tools keep logins.
#include "oci/registry/keychain.h"

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/auth_document.h"

#include "tests/support/catch.h"
#include "tests/support/credential_helper_script.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;
using oci::Credential;
using oci::Errc;
using oci::Error;
using oci::KeychainPlaces;

namespace {

// Files of a home, written where tools would.
class Home {
 public:
  fs::path write(const std::string& name, const std::string& text) {
    const fs::path file = directory_.path() / name;
    fs::create_directories(file.parent_path());
    oci::write_file_atomically(file, text);
    return file;
  }
  KeychainPlaces places() const {
    KeychainPlaces places;
    places.docker_config = directory_.path() / "docker";
    places.runtime_directory = directory_.path() / "run";
    places.config_home = directory_.path() / "config";
    places.home = directory_.path() / "home";
    return places;
  }
  std::optional<Credential> find(const std::string& domain, const std::string& path = "",
                                 bool fresh = false) const {
    return oci::file_keychain(places())->find(domain, path, fresh, {});
  }

 private:
  TemporaryDirectory directory_;
};

std::string auths(const std::string& entries) {
  return R"({"auths":{)" + entries + "}}";
}

// "key":{"auth":"…"} of key's user.
std::string entry(const std::string& key, const std::string& user) {
  return "\"" + key + R"(":{"auth":")" + oci::base64_encode(user + ":pw:" + user) + "\"}";
}

std::string user(const std::optional<Credential>& found) {
  return found ? found->username : "nobody";
}

}  // namespace

TEST_CASE("an entry has base64, a name and a password, or a token") {
  Home home;
  const fs::path file =
      home.write("home/.docker/config.json",
                 auths(entry("a.example", "me") +
                       R"(,"b.example":{"username":"b","password":"bp"})"
                       R"(,"c.example":{"auth":")" +
                       oci::base64_encode("c:") +
                       R"(","identitytoken":"it"})"
                       R"(,"d.example":{"registrytoken":"rt"})"
                       R"(,"e.example":{"auth":")" +
                       oci::base64_encode(std::string("e:p\0\0", 5)) + "\"}"));
  const auto a = home.find("a.example");
  REQUIRE(a);
  CHECK(a->kind == Credential::Kind::password);
  CHECK(a->secret.reveal() == "pw:me");
  CHECK(a->origin == file.string() + ", key a.example");
  CHECK(oci::credential_for_people(*a) ==
        "the password of me from " + file.string() + ", key a.example");
  CHECK(home.find("b.example")->secret.reveal() == "bp");
  const auto c = home.find("c.example");
  CHECK(c->kind == Credential::Kind::identity_token);
  CHECK(c->username == "c");
  CHECK(c->secret.reveal() == "it");
  CHECK(home.find("d.example")->kind == Credential::Kind::registry_token);
  CHECK(home.find("d.example")->secret.reveal() == "rt");
  CHECK(home.find("e.example")->secret.reveal() == "p");
  CHECK_FALSE(home.find("f.example"));
}

TEST_CASE("the longest key wins") {
  Home home;
  home.write("run/containers/auth.json",
             auths(entry("r.example", "host") + "," + entry("r.example/a", "a") + "," +
                   entry("r.example/a/b", "ab")));
  CHECK(user(home.find("r.example", "a/b")) == "ab");
  CHECK(user(home.find("r.example", "a/b/c")) == "ab");
  CHECK(user(home.find("r.example", "a/bc")) == "a");
  CHECK(user(home.find("r.example", "ab")) == "host");
  CHECK(user(home.find("r.example")) == "host");
  CHECK(user(home.find("r.example:5000", "a")) == "nobody");
}

TEST_CASE("Docker Hub is found under all its names") {
  for (const char* key : {"docker.io", "index.docker.io", "registry-1.docker.io",
                          "https://index.docker.io/v1/", "https://index.docker.io/v1"}) {
    Home home;
    home.write("docker/config.json", auths(entry(key, "hub")));
    CHECK(user(home.find("docker.io", "library/debian")) == "hub");
    CHECK(user(home.find("index.docker.io")) == "hub");
    CHECK(user(home.find("docker.example")) == "nobody");
  }
}

TEST_CASE("keys with a scheme and a path mean their host") {
  using oci::AuthKey;
  using oci::read_auth_key;
  CHECK(read_auth_key("https://R.example/v2/") == AuthKey{"r.example"});
  CHECK(read_auth_key("http://r.example:5000/x/y") == AuthKey{"r.example:5000"});
  CHECK(read_auth_key("r.example/v1/") == AuthKey{"r.example"});
  CHECK(read_auth_key("r.example/a/b/") == AuthKey{"r.example", "a/b"});
  CHECK(read_auth_key("https://index.docker.io/v1/") == AuthKey{"docker.io"});
  Home home;
  home.write("docker/config.json", auths(entry("https://r.example/v2/", "me")));
  CHECK(user(home.find("r.example", "x")) == "me");
}

TEST_CASE("the plain key is taken before one that means the same") {
  Home home;
  home.write("docker/config.json", auths(entry("https://r.example", "url") + "," +
                                         entry("r.example", "plain")));
  CHECK(user(home.find("r.example")) == "plain");
}

TEST_CASE("files are read in their order, and the first answer wins") {
  const char* names[] = {"docker/config.json", "run/containers/auth.json",
                         "config/containers/auth.json", "home/.docker/config.json"};
  Home home;
  home.write("home/.dockercfg", "{" + entry("r.example", "old") + "}");
  CHECK(user(home.find("r.example")) == "old");
  for (int i = 3; i >= 0; --i) {
    home.write(names[i], auths(entry("r.example", names[i])));
    CHECK(user(home.find("r.example")) == names[i]);
  }
  CHECK(user(home.find("other.example")) == "nobody");
  const auto places = oci::file_keychain(home.places())->places();
  REQUIRE(places.size() == 5);
  CHECK(places[4].find(".dockercfg") != std::string::npos);
}

TEST_CASE("an auth file is the only one") {
  Home home;
  home.write("docker/config.json", auths(entry("r.example", "me")));
  KeychainPlaces places = home.places();
  places.docker_auth_config = auths(entry("r.example", "env"));
  places.auth_file = home.write("auth.json", auths(entry("s.example", "only")));
  const auto keys = oci::file_keychain(places);
  CHECK(user(keys->find("s.example", "", false, {})) == "only");
  CHECK(user(keys->find("r.example", "", false, {})) == "nobody");
  CHECK(keys->places().size() == 1);
}

TEST_CASE("DOCKER_AUTH_CONFIG comes first for the hosts that it names") {
  Home home;
  home.write("docker/config.json",
             auths(entry("r.example", "me") + "," + entry("s.example", "me")));
  KeychainPlaces places = home.places();
  places.docker_auth_config = auths(entry("r.example", "env"));
  const auto keys = oci::file_keychain(places);
  CHECK(user(keys->find("r.example", "", false, {})) == "env");
  CHECK(user(keys->find("s.example", "", false, {})) == "me");
  CHECK(keys->find("r.example", "", false, {})->origin ==
        "DOCKER_AUTH_CONFIG, key r.example");
}

TEST_CASE("DOCKER_AUTH_CONFIG has auths and nothing else") {
  for (const char* text :
       {R"({"auths":{},"credsStore":"x"})", R"({"auths":{"a":{"password":"p"}}})", "[]",
        "{", R"({"auths":[]})"}) {
    KeychainPlaces places;
    places.docker_auth_config = text;
    try {
      oci::file_keychain(places)->find("r.example", "", false, {});
      FAIL(text);
    } catch (const Error& e) {
      CHECK(e.code() == Errc::bad_input);
      CHECK(std::string(e.what()).find("DOCKER_AUTH_CONFIG") != std::string::npos);
    }
  }
}

TEST_CASE("a broken file is named") {
  for (const char* text : {"{", "[]", R"({"auths":[]})", R"({"auths":{"r.example":[]}})",
                           R"({"auths":{"r.example":{"auth":"%"}}})",
                           R"({"auths":{"r.example":{"auth":"bm9jb2xvbg=="}}})",
                           R"({"auths":{"r.example":{"auth":"OnB3"}}})",
                           R"({"auths":{"r.example":{"auth":5}}})",
                           R"({"auths":{"r.example":{"registrytoken":"a\nb"}}})",
                           R"({"auths":{},"auths":{}})", R"({"credsStore":5})",
                           R"({"credHelpers":"x"})", R"({"credsStore":"../x"})"}) {
    Home home;
    const fs::path file = home.write("docker/config.json", text);
    try {
      home.find("r.example");
      FAIL(text);
    } catch (const Error& e) {
      CHECK(e.code() == Errc::bad_input);
      std::string all = e.what();
      for (const std::string& context : e.context())
        all += context;
      CHECK(all.find(file.string()) != std::string::npos);
    }
  }
}

TEST_CASE("a broken entry of another host, and an empty file, do no harm") {
  Home home;
  home.write("docker/config.json",
             auths(R"("x.example":{"auth":5},)" + entry("r.example", "me")));
  CHECK(user(home.find("r.example")) == "me");
  home.write("docker/config.json", "\n");
  CHECK_FALSE(home.find("r.example"));
}

TEST_CASE("helpers of a host come before the store, entries before both") {
  HelperScripts scripts;
  scripts.add("one", R"(echo '{"Username":"one","Secret":"s"}')");
  scripts.add("store", R"(cat > $dir/asked; echo '{"Username":"store","Secret":"s"}')");
  Home home;
  home.write("docker/config.json",
             R"({"auths":{"marked.example":{},)" + entry("r.example/a", "entry") +
                 R"(},"credsStore":"store","credHelpers":{"r.example":"one"}})");
  CHECK(user(home.find("r.example", "a/b")) == "entry");
  CHECK(user(home.find("r.example", "b")) == "one");
  CHECK(user(home.find("marked.example")) == "store");
  CHECK(scripts.text("asked") == "marked.example");
  CHECK(user(home.find("docker.io")) == "store");
  CHECK(scripts.text("asked") == "https://index.docker.io/v1/");
}

TEST_CASE(
    "a helper that knows nothing lets the next file answer, a broken one does not") {
  HelperScripts scripts;
  scripts.add("none", "echo 'credentials not found in native keychain'; exit 1");
  Home home;
  home.write("docker/config.json", R"({"credsStore":"none"})");
  home.write("home/.docker/config.json", auths(entry("r.example", "me")));
  CHECK(user(home.find("r.example")) == "me");
  scripts.add("none", "echo locked; exit 1");
  try {
    home.find("r.example");
    FAIL();
  } catch (const Error& e) {
    CHECK(e.code() == Errc::denied);
    CHECK(std::string(e.what()).find("locked") != std::string::npos);
  }
}

TEST_CASE("what a helper says is remembered, unless it is to be fresh") {
  HelperScripts scripts;
  scripts.add("count", R"(echo x >> $dir/calls
echo "{\"Username\":\"u\",\"Secret\":\"$(wc -l < $dir/calls)\"}")");
  Home home;
  home.write("docker/config.json", R"({"credsStore":"count"})");
  const auto keys = oci::file_keychain(home.places());
  CHECK(keys->find("r.example", "", false, {})->secret.reveal() == "1");
  CHECK(keys->find("r.example", "a", false, {})->secret.reveal() == "1");
  CHECK(keys->find("r.example", "", true, {})->secret.reveal() == "2");
  CHECK(keys->find("r.example", "", false, {})->secret.reveal() == "2");
  CHECK(keys->find("s.example", "", false, {})->secret.reveal() == "3");
}

TEST_CASE("files are read anew for each question") {
  Home home;
  const auto keys = oci::file_keychain(home.places());
  CHECK_FALSE(keys->find("r.example", "", false, {}));
  home.write("docker/config.json", auths(entry("r.example", "me")));
  CHECK(user(keys->find("r.example", "", false, {})) == "me");
}
