// Logins that are kept, found again by the keychain, and forgotten.
#include "oci/registry/auth_file.h"

#include <sys/stat.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "tests/support/catch.h"
#include "tests/support/credential_helper_script.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;
using oci::KeychainPlaces;
using oci::Secret;

namespace {

struct Home {
  TemporaryDirectory directory;
  KeychainPlaces places;

  Home() { places.home = directory.path(); }
  fs::path file() const { return oci::login_file(places); }
  std::string text() const { return oci::read_file(file(), 1 << 20); }
  void write(const std::string& text) const {
    fs::create_directories(file().parent_path());
    oci::write_file_atomically(file(), text);
  }
  std::string secret(const std::string& domain) const {
    const auto found = oci::file_keychain(places)->find(domain, "", false, {});
    return found ? found->secret.reveal() : "";
  }
};

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("a login goes to docker's file, for its owner alone") {
  Home home;
  const std::string told =
      oci::store_login(home.places, "r.example", "me", Secret("p:w"), {});
  CHECK(told == "the login of me for r.example stands in " + home.file().string() +
                    ", not encrypted");
  CHECK(home.file() == home.places.home / ".docker/config.json");
  CHECK(home.text() ==
        "{\n\t\"auths\": {\n\t\t\"r.example\": {\n\t\t\t\"auth\": \"bWU6cDp3\"\n\t\t}\n"
        "\t}\n}\n");
  CHECK(mode_of(home.file()) == 0600);
  CHECK(mode_of(home.file().parent_path()) == 0700);
  CHECK(home.secret("r.example") == "p:w");
}

TEST_CASE("the auth file comes first, then DOCKER_CONFIG") {
  KeychainPlaces places;
  CHECK_THROWS_AS(oci::login_file(places), oci::Error);
  places.home = "/home/me";
  CHECK(oci::login_file(places) == "/home/me/.docker/config.json");
  places.docker_config = "/d";
  CHECK(oci::login_file(places) == "/d/config.json");
  places.auth_file = "/a.json";
  CHECK(oci::login_file(places) == "/a.json");
}

TEST_CASE("all else in the file stays") {
  Home home;
  home.write(R"({"HttpHeaders":{"A":"b"},"auths":{"s.example":{"auth":"YTpi"},
"https://r.example/v1/":{"auth":"YTpi"},"r.example/ns":{"auth":"YTpi"}},"proxies":[1]})");
  oci::store_login(home.places, "r.example", "me", Secret("new"), {});
  const std::string text = home.text();
  for (const char* part : {"HttpHeaders", "s.example", "r.example/ns", "proxies"})
    CHECK(text.find(part) != std::string::npos);
  CHECK(text.find("https://r.example/v1/") == std::string::npos);
  CHECK(home.secret("r.example") == "new");
  CHECK(home.secret("s.example") == "b");
  CHECK(mode_of(home.file()) == 0600);
}

TEST_CASE("Docker Hub has docker's own key") {
  Home home;
  home.write(R"({"auths":{"docker.io":{"auth":"YTpi"}}})");
  oci::store_login(home.places, "docker.io", "me", Secret("pw"), {});
  CHECK(home.text().find("\"https://index.docker.io/v1/\"") != std::string::npos);
  CHECK(home.secret("docker.io") == "pw");
  CHECK(oci::remove_login(home.places, "docker.io", {}));
  CHECK(home.secret("docker.io").empty());
}

TEST_CASE("a login is removed once") {
  Home home;
  CHECK_FALSE(oci::remove_login(home.places, "r.example", {}));
  CHECK_FALSE(fs::exists(home.file()));
  oci::store_login(home.places, "r.example", "me", Secret("pw"), {});
  oci::store_login(home.places, "s.example", "me", Secret("pw"), {});
  CHECK(oci::remove_login(home.places, "r.example", {}) ==
        "the login for r.example was removed from " + home.file().string());
  CHECK_FALSE(oci::remove_login(home.places, "r.example", {}));
  CHECK(home.secret("r.example").empty());
  CHECK(home.secret("s.example") == "pw");
}

TEST_CASE("a helper that the file names keeps the login instead") {
  HelperScripts scripts;
  scripts.add("keeper", R"(case "$1" in
store) cat > $dir/kept ;;
get) cat > $dir/asked; [ -e $dir/kept ] || { echo 'credentials not found in native keychain'; exit 1; }; cat $dir/kept ;;
erase) rm $dir/kept ;;
esac)");
  Home home;
  home.write(R"({"auths":{"r.example":{"auth":"YTpi"}},"credsStore":"keeper"})");
  CHECK(oci::store_login(home.places, "r.example", "me", Secret("pw"), {}) ==
        "docker-credential-keeper keeps the login of me for r.example");
  CHECK(home.text().find("YTpi") == std::string::npos);
  CHECK(home.secret("r.example") == "pw");
  CHECK(scripts.text("asked") == "r.example");
  CHECK(oci::remove_login(home.places, "r.example", {}) ==
        "the login for r.example was removed from docker-credential-keeper");
  CHECK_FALSE(oci::remove_login(home.places, "r.example", {}));
}

TEST_CASE("names that would read as something else, and broken files, are refused") {
  Home home;
  CHECK_THROWS_AS(oci::store_login(home.places, "r.example", "", Secret("p"), {}),
                  oci::Error);
  CHECK_THROWS_AS(oci::store_login(home.places, "r.example", "a:b", Secret("p"), {}),
                  oci::Error);
  home.write("{");
  CHECK_THROWS_AS(oci::store_login(home.places, "r.example", "a", Secret("p"), {}),
                  oci::Error);
  CHECK(home.text() == "{");
}
