// registry_config: registries.conf and certs.d as machines and people write them.
#include "oci/registry/registry_config.h"

#include <fstream>
#include <functional>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace oci;
namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

// "https://m.example a/b tags digests" and what else is special about the server.
std::string told(const Endpoint& endpoint) {
  std::string line = endpoint.origin.str() + " " + endpoint.path;
  if (endpoint.mirror) line += " mirror";
  if (!endpoint.tags) line += " no-tags";
  if (!endpoint.digests) line += " no-digests";
  if (!endpoint.tls.verify) line += " unverified";
  if (endpoint.may_be_plain) line += " may-be-plain";
  return line;
}

struct World {
  TemporaryDirectory directory;
  RegistryConfigPlaces places{
      .config_home = at("home"),
      .system = {at("etc"), at("usr")},
      .certificates = {at("etc/certs.d"), at("docker/certs.d")},
  };

  fs::path at(const std::string& name) const { return directory.path() / name; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(at(name).parent_path());
    std::ofstream(at(name)) << text;
  }
  RegistryConfig config() const { return RegistryConfig(places); }

  // All servers of a name that has a "/".
  Lines servers(const std::string& name) const {
    const std::size_t slash = name.find('/');
    Lines lines;
    for (const Endpoint& endpoint :
         config().endpoints(name.substr(0, slash), name.substr(slash + 1)))
      lines.push_back(told(endpoint));
    return lines;
  }
  Lines servers_with(const std::string& text, const std::string& name) const {
    write("etc/registries.conf", text);
    return servers(name);
  }

  // "LINE: message" of what is wrong with a system file of this text.
  std::string refusal(const std::string& text) const {
    write("etc/registries.conf", text);
    try {
      config();
    } catch (const Error& e) {
      CHECK(e.code() == Errc::bad_input);
      CHECK(e.place().file == at("etc/registries.conf").string());
      const std::string message = e.what();
      const std::string name = at("etc/registries.conf").string() + " ";
      CHECK(message.rfind(name, 0) == 0);
      return std::to_string(e.place().line) + ": " + message.substr(name.size());
    }
    return "fine";
  }
};

Error failure(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    return e;
  }
  return Error(Errc::internal, "nothing failed");
}

}  // namespace

TEST_CASE("without any file a registry is its own server") {
  const World world;
  CHECK(world.servers("ghcr.io/a/b") == Lines{"https://ghcr.io a/b"});
  CHECK(world.servers("r.example:5000/a") == Lines{"https://r.example:5000 a"});
  CHECK(world.config().files().empty());
}

TEST_CASE("the hub has a server of another name, and credentials under its own") {
  const World world;
  const Endpoint hub = world.config().primary("docker.io", "library/debian");
  CHECK(told(hub) == "https://registry-1.docker.io library/debian");
  CHECK(hub.domain == "docker.io");
}

TEST_CASE("loopback names speak http until they have certificates") {
  const World world;
  CHECK(world.servers("localhost:5000/a") == Lines{"http://localhost:5000 a"});
  CHECK(world.servers("localhost/a") == Lines{"http://localhost a"});
  CHECK(world.servers("127.1.2.3:80/a") == Lines{"http://127.1.2.3 a"});
  CHECK(world.servers("[::1]:5000/a") == Lines{"http://[::1]:5000 a"});
  CHECK(world.servers("127.example/a") == Lines{"https://127.example a"});
  fs::create_directories(world.at("etc/certs.d/localhost:5000"));
  CHECK(world.servers("localhost:5000/a") == Lines{"https://localhost:5000 a"});
  CHECK(world.servers("localhost:5001/a") == Lines{"http://localhost:5001 a"});
}

TEST_CASE("names that are no host are refused") {
  const World world;
  for (const char* domain : {"", "..", "a b", "a\n", "a:0", "a:99999", "a@b", "a?b"}) {
    CAPTURE(domain);
    CHECK(failure([&] { world.config().endpoints(domain, "a"); }).code() ==
          Errc::bad_input);
  }
}

TEST_CASE("the longest prefix decides, at a boundary") {
  const World world;
  world.write("etc/registries.conf", R"(
[[registry]]
location = "r.example/a"
insecure = true
[[registry]]
prefix = "r.example"
location = "all.example/x/"
[[registry]]
prefix = "r.example/a/b"
location = "deep.example"
)");
  CHECK(world.servers("r.example/z") == Lines{"https://all.example x/z"});
  CHECK(world.servers("r.example/ab") == Lines{"https://all.example x/ab"});
  CHECK(world.servers("r.example/a/c") ==
        Lines{"https://r.example a/c unverified may-be-plain"});
  CHECK(world.servers("r.example/a/b/c") == Lines{"https://deep.example c"});
  CHECK(world.servers("r.example:5000/a") == Lines{"https://r.example:5000 a"});
  CHECK(world.servers("other.example/a") == Lines{"https://other.example a"});
}

TEST_CASE("a star stands for any begin of a host") {
  const World world;
  world.write("etc/registries.conf", R"(
[[registry]]
prefix = "*.example.com"
insecure = true
[[registry]]
prefix = "*.a.example.com"
location = "a.mirror/x"
[[registry]]
prefix = "b.example.com"
location = "b.mirror"
)");
  const std::string insecure = " unverified may-be-plain";
  CHECK(world.servers("c.example.com/i") == Lines{"https://c.example.com i" + insecure});
  CHECK(world.servers("c.example.com:5/i") ==
        Lines{"https://c.example.com:5 i" + insecure});
  CHECK(world.servers("z.y.example.com/i") ==
        Lines{"https://z.y.example.com i" + insecure});
  CHECK(world.servers("z.a.example.com/i") == Lines{"https://a.mirror x/i"});
  CHECK(world.servers("b.example.com/i") == Lines{"https://b.mirror i"});
  CHECK(world.servers("example.com/i") == Lines{"https://example.com i"});
  CHECK(world.servers("cexample.com/i") == Lines{"https://cexample.com i"});
}

TEST_CASE("mirrors come first, in their order, under their own names") {
  const World world;
  world.write("etc/registries.conf", R"(
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "m1.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "m2.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "localhost:5000"
pull-from-mirror = "tag-only"
)");
  CHECK(world.servers("docker.io/library/debian") ==
        Lines{"https://m1.example:5000 hub/library/debian mirror unverified may-be-plain",
              "https://m2.example library/debian mirror no-tags",
              "http://localhost:5000 library/debian mirror no-digests",
              "https://registry-1.docker.io library/debian"});
  const auto servers = world.config().endpoints("docker.io", "library/debian");
  CHECK(servers.front().domain == "m1.example:5000");
  CHECK(servers.back().domain == "docker.io");
}

TEST_CASE("mirror-by-digest-only holds for all mirrors") {
  const World world;
  CHECK(world.servers_with(R"(
[[registry]]
location = "r.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.example"
)",
                           "r.example/a") ==
        Lines{"https://m.example a mirror no-tags", "https://r.example a"});
}

TEST_CASE("a location can lead to the hub") {
  const World world;
  world.write("etc/registries.conf", R"(
[[registry]]
prefix = "r.example/hub"
location = "docker.io"
)");
  CHECK(world.servers("r.example/hub/debian") ==
        Lines{"https://registry-1.docker.io library/debian"});
}

TEST_CASE("a location that takes all of the name is told") {
  const World world;
  world.write("etc/registries.conf",
              "[[registry]]\nprefix = 'r.example/a'\n"
              "location = 'other.example'\n");
  const Error e = failure([&] { world.config().endpoints("r.example", "a"); });
  CHECK(e.what() == std::string("other.example is no host[:port]/path of a repository"));
  REQUIRE(e.context().size() == 1);
  CHECK(e.context().front() ==
        "following " + world.at("etc/registries.conf").string() + ", line 1");
}

TEST_CASE("what is blocked is refused with the file and a way out") {
  const World world;
  world.write("etc/registries.conf",
              "\n[[registry]]\nlocation = 'r.example/a'\nblocked = true\n");
  const Error e = failure([&] { world.config().primary("r.example", "a/b"); });
  const std::string file = world.at("etc/registries.conf").string();
  CHECK(e.code() == Errc::denied);
  CHECK(e.what() == "r.example/a/b is blocked by " + file + ", line 2");
  CHECK(e.place().line == 2);
  CHECK(e.hint() == "use another registry, or take `blocked = true` out of " + file);
  CHECK(world.servers("r.example/b") == Lines{"https://r.example b"});
}

TEST_CASE("hosts can be insecure by name") {
  World world;
  world.places.insecure = {"r.example:5000", "localhost:5000"};
  const std::string insecure = " unverified may-be-plain";
  CHECK(world.servers("r.example:5000/a") ==
        Lines{"https://r.example:5000 a" + insecure});
  CHECK(world.servers("r.example/a") == Lines{"https://r.example a"});
  CHECK(world.servers("localhost:5000/a") ==
        Lines{"https://localhost:5000 a" + insecure});
}

TEST_CASE("the user's file replaces the system's, drop-ins add to it") {
  const World world;
  const auto rule = [](const std::string& prefix, const std::string& location) {
    return "[[registry]]\nprefix = '" + prefix + "'\nlocation = '" + location + "'\n";
  };
  world.write("usr/registries.conf", rule("a.example", "usr"));
  CHECK(world.servers("a.example/i") == Lines{"https://usr i"});
  world.write("etc/registries.conf", rule("a.example", "etc"));
  CHECK(world.servers("a.example/i") == Lines{"https://etc i"});
  world.write("home/containers/registries.conf", rule("b.example", "home"));
  CHECK(world.servers("a.example/i") == Lines{"https://a.example i"});
  CHECK(world.servers("b.example/i") == Lines{"https://home i"});
  world.write("etc/registries.conf.d/2.conf", rule("b.example", "two"));
  world.write("etc/registries.conf.d/1.conf", rule("b.example", "one"));
  world.write("etc/registries.conf.d/3.conf.bak", rule("b.example", "three"));
  CHECK(world.servers("b.example/i") == Lines{"https://two i"});
  world.write("home/containers/registries.conf.d/0.conf", rule("b.example", "mine"));
  CHECK(world.servers("b.example/i") == Lines{"https://mine i"});
  CHECK(world.config().files() ==
        Lines{world.at("home/containers/registries.conf").string(),
              world.at("etc/registries.conf.d/1.conf").string(),
              world.at("etc/registries.conf.d/2.conf").string(),
              world.at("home/containers/registries.conf.d/0.conf").string()});
}

TEST_CASE("a file named by the environment is read alone") {
  World world;
  world.write("etc/registries.conf.d/1.conf",
              "[[registry]]\nlocation = 'a.example'\ninsecure = true\n");
  world.write("mine.conf", "[[registry]]\nlocation = 'b.example'\ninsecure = true\n");
  world.places.registries_conf = world.at("mine.conf");
  CHECK(world.servers("a.example/i") == Lines{"https://a.example i"});
  CHECK(world.config().files() == Lines{world.at("mine.conf").string()});
  world.places.registries_conf = world.at("missing.conf");
  CHECK(failure([&] { world.config(); }).code() == Errc::not_found);
}

TEST_CASE("settings that name no server are passed over") {
  const World world;
  CHECK(world.refusal("unqualified-search-registries = ['a', 'b']\n"
                      "short-name-mode = 'enforcing'\n"
                      "credential-helpers = ['containers-auth.json']\n"
                      "[aliases]\n'debian' = 'docker.io/library/debian'\n"
                      "[[registry]]\nlocation = 'a'\nfuture = 1\n") == "fine");
  CHECK(world.refusal("") == "fine");
}

TEST_CASE("version 1 is refused with a way on") {
  const World world;
  CHECK(world.refusal("\n[registries.search]\nregistries = ['docker.io']\n") ==
        "2: is written in version 1 of the format, which is not read");
}

TEST_CASE("mistakes are told with their line") {
  const World world;
  const auto in_rule = [&](const std::string& line) {
    return world.refusal("[[registry]]\nlocation = 'a'\n" + line + "\n");
  };
  CHECK(world.refusal("a = \n").rfind("1: is not valid TOML: ", 0) == 0);
  CHECK(world.refusal("[registry]\n") == "1: has a `registry` that is no list of tables");
  CHECK(world.refusal("registry = 'a'") ==
        "1: has a `registry` that is no list of tables");
  CHECK(world.refusal("registry = [\n1]") ==
        "2: has an entry of `registry` that is no table");
  CHECK(world.refusal("[[registry]]\ninsecure = true\n") ==
        "1: has a [[registry]] without `prefix` and `location`");
  CHECK(world.refusal("[[registry]]\nlocation = 1\n") == "2: needs a text as `location`");
  CHECK(world.refusal("[[registry]]\nlocation = ''\n") ==
        "1: has a [[registry]] without `prefix` and `location`");
  CHECK(world.refusal("[[registry]]\nlocation = 'https://a'\n") ==
        "2: has a `location` with a scheme: https://a");
  CHECK(world.refusal("[[registry]]\nlocation = \"a\\u001b b\"\n") ==
        "2: has a `location` that is no host[:port][/path]: a? b");
  CHECK(in_rule("prefix = ['a']") == "3: needs a text as `prefix`");
  CHECK(in_rule("prefix = 'a.*'") ==
        "3: has a `prefix` with a \"*\" where none can be: a.*");
  CHECK(in_rule("prefix = '*.a/b'") ==
        "3: has a `prefix` with a \"*\" where none can be: *.a/b");
  CHECK(in_rule("insecure = 'yes'") == "3: needs true or false as `insecure`");
  CHECK(in_rule("blocked = 1") == "3: needs true or false as `blocked`");
  CHECK(in_rule("mirror = {}") == "3: has a `mirror` that is no list of tables");
  CHECK(in_rule("mirror = [{}]") == "3: has a [[registry.mirror]] without `location`");
  CHECK(in_rule("mirror = [{location = 'm', pull-from-mirror = 'x'}]") ==
        "3: has `pull-from-mirror = \"x\"`, which is not known");
  CHECK(in_rule("mirror-by-digest-only = true\n"
                "mirror = [{location = 'm', pull-from-mirror = 'all'}]") ==
        "4: has both `pull-from-mirror` and `mirror-by-digest-only = true`");
}

TEST_CASE("files beyond all measure are refused") {
  const World world;
  std::string many;
  for (int i = 0; i < 1001; ++i)
    many += "[[registry]]\nlocation = 'r" + std::to_string(i) + "'\n";
  CHECK(world.refusal(many) ==
        "1: has 1001 entries of `registry`, more than the 1000 allowed");
  std::string mirrors = "[[registry]]\nlocation = 'a'\n";
  for (int i = 0; i < 101; ++i)
    mirrors += "[[registry.mirror]]\nlocation = 'm'\n";
  CHECK(world.refusal(mirrors) ==
        "3: has 101 entries of `mirror`, more than the 100 allowed");
  world.write("etc/registries.conf", std::string(1024 * 1024 + 1, '\n'));
  CHECK(failure([&] { world.config(); }).code() == Errc::bad_input);
  std::string spread;
  for (int i = 0; i < 600; ++i)
    spread += "[[registry]]\nlocation = 's" + std::to_string(i) + "'\n";
  world.write("etc/registries.conf", spread);
  world.write("etc/registries.conf.d/1.conf", many.substr(0, many.size() / 2));
  CHECK(failure([&] { world.config(); }).code() == Errc::bad_input);
}

TEST_CASE("deep nesting is refused before it costs a stack") {
  const World world;
  std::string dots = "a";
  for (int i = 0; i < 200000; ++i)
    dots += ".a";
  const std::string refused = "has a key with more than 32 dots";
  CHECK(world.refusal("\n" + dots + " = 1") == "2: " + refused);
  CHECK(world.refusal("['=\"'." + dots + "]") == "1: " + refused);
  CHECK(world.refusal("x = [\"\"\"\n\"\"\"\"\", {" + dots + " = 1}]") == "2: " + refused);
  CHECK(world.refusal("x = '" + dots + "' # " + dots) == "fine");
  CHECK(world.refusal("x = " + std::string(100000, '[')).rfind("1: is not valid", 0) ==
        0);
  CHECK(world.refusal("x = \"\\").rfind("1: is not valid", 0) == 0);
}

TEST_CASE("certificates are found by host and port, the user's first") {
  const World world;
  world.write("etc/certs.d/r.example:5000/b.crt", "");
  world.write("etc/certs.d/r.example:5000/a.crt", "");
  world.write("etc/certs.d/r.example:5000/client.cert", "");
  world.write("etc/certs.d/r.example:5000/client.key", "");
  world.write("etc/certs.d/r.example:5000/README", "");
  const auto tls = [&](const std::string& domain) {
    return world.config().primary(domain, "a").tls;
  };
  const std::string etc = world.at("etc/certs.d/r.example:5000").string();
  CHECK(tls("r.example:5000") == TlsSettings{true,
                                             {etc + "/a.crt", etc + "/b.crt"},
                                             etc + "/client.cert",
                                             etc + "/client.key"});
  CHECK(tls("r.example") == TlsSettings{});
  world.write("docker/certs.d/r.example/d.crt", "");
  CHECK(tls("r.example").authorities ==
        Lines{world.at("docker/certs.d/r.example/d.crt").string()});
  world.write("home/containers/certs.d/r.example/h.crt", "");
  CHECK(tls("r.example").authorities ==
        Lines{world.at("home/containers/certs.d/r.example/h.crt").string()});
}

TEST_CASE("a client certificate needs its key, and a key its certificate") {
  const World world;
  world.write("etc/certs.d/a.example/client.cert", "");
  world.write("etc/certs.d/b.example/client.key", "");
  const auto message = [&](const std::string& domain) {
    const Error e = failure([&] { world.config().primary(domain, "a"); });
    CHECK(e.code() == Errc::bad_input);
    CHECK_FALSE(e.hint().empty());
    return std::string(e.what());
  };
  const std::string base = world.at("etc/certs.d").string();
  CHECK(message("a.example") ==
        base + "/a.example/client.cert has no client.key beside it");
  CHECK(message("b.example") ==
        base + "/b.example/client.key has no client.cert beside it");
  CHECK(world.servers("c.example/a") == Lines{"https://c.example a"});
}
