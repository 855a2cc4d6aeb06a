// proxy: what goes through a proxy, by the environment.
#include "oci/registry/proxy.h"

#include <cstdlib>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "tests/support/catch.h"

namespace oci {

namespace {

constexpr const char* k_names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                   "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                   "no_proxy",    "NO_PROXY"};

// The variables of a test, and afterwards those there were.
class Variables {
 public:
  Variables(std::initializer_list<std::pair<const char*, const char*>> wanted) {
    for (const char* name : k_names) {
      const char* value = std::getenv(name);
      if (value != nullptr) before_[name] = value;
      ::unsetenv(name);
    }
    for (const auto& [name, value] : wanted)
      ::setenv(name, value, 1);
  }
  ~Variables() {
    for (const char* name : k_names)
      ::unsetenv(name);
    for (const auto& [name, value] : before_)
      ::setenv(name.c_str(), value.c_str(), 1);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  std::map<std::string, std::string> before_;
};

}  // namespace

TEST_CASE("a proxy stands before the scheme that it is set for") {
  const Variables variables{{"https_proxy", "http://proxy:3128"}};
  CHECK(has_proxy("https://r.example/v2/"));
  CHECK(!has_proxy("http://r.example/v2/"));
  CHECK(!has_proxy("nonsense"));
}

TEST_CASE("one for all schemes stands before both") {
  const Variables variables{{"ALL_PROXY", "socks5h://proxy:1080"}};
  CHECK(has_proxy("https://r.example/v2/"));
  CHECK(has_proxy("http://r.example/v2/"));
}

TEST_CASE("nothing stands before this machine") {
  const Variables variables{{"http_proxy", "http://proxy"},
                            {"https_proxy", "http://proxy"}};
  for (const char* url : {"http://localhost:5000/v2/", "https://127.0.0.1/",
                          "http://[::1]:5000/", "http://registry.localhost/"}) {
    CHECK(!has_proxy(url));
    CHECK(is_this_machine(url));
  }
  CHECK(!is_this_machine("https://127.0.0.1.example/"));
}

TEST_CASE("what no_proxy names is asked directly") {
  const Variables variables{{"https_proxy", "http://proxy"},
                            {"NO_PROXY", "corp.example, .inside.example,10.0.0.7"}};
  CHECK(!has_proxy("https://corp.example/"));
  CHECK(!has_proxy("https://r.corp.example:5000/"));
  CHECK(!has_proxy("https://a.inside.example/"));
  CHECK(!has_proxy("https://10.0.0.7/"));
  CHECK(has_proxy("https://notcorp.example/"));
  CHECK(has_proxy("https://corp.example.net/"));
}

TEST_CASE("a star is everything, and lower case wins") {
  const Variables variables{
      {"https_proxy", "http://proxy"}, {"no_proxy", "*"}, {"NO_PROXY", "other"}};
  CHECK(!has_proxy("https://r.example/"));
}

}  // namespace oci
