#include "builder/pack/image_config.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

oci::ImageConfig base() {
  oci::ImageConfig config;
  config.platform = {"linux", "amd64", ""};
  config.entrypoint = {{"/old"}};
  config.cmd = {{"arg"}};
  config.env = {{"PATH", "/bin"}, {"LANG", "C"}};
  config.labels = {{"a", "1"}, {"b", "2"}};
  config.exposed_ports = {"80/tcp"};
  config.user = "root";
  config.other_config = "{\"OnBuild\":[]}";
  config.diff_ids = {oci::Digest::of("x")};
  return config;
}

TEST_CASE("a change that says nothing changes nothing") {
  oci::ImageConfig config = base();
  apply({}, config);
  CHECK(config.entrypoint == base().entrypoint);
  CHECK(config.env == base().env);
  CHECK(config.other_config == base().other_config);
}

TEST_CASE("variables keep their places, new ones follow by name") {
  oci::ImageConfig config = base();
  ConfigChange change;
  change.env = {{"ZED", "z"},
                {"PATH", "/usr/bin"},
                {"LANG", std::nullopt},
                {"A", "a"},
                {"NONE", std::nullopt}};
  apply(change, config);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"PATH", "/usr/bin"}, {"A", "a"}, {"ZED", "z"}};
  CHECK(config.env == expected);
}

TEST_CASE("lists replace, empty lists clear") {
  oci::ImageConfig config = base();
  ConfigChange change;
  change.entrypoint = {{"/new", "x"}};
  change.cmd = std::vector<std::string>{};
  change.ports = {{"443/tcp"}};
  apply(change, config);
  CHECK(config.entrypoint == std::vector<std::string>{"/new", "x"});
  CHECK(!config.cmd);
  CHECK(config.exposed_ports == std::set<std::string>{"443/tcp"});
}

TEST_CASE("without inheritance only what the layers are is kept") {
  oci::ImageConfig config = base();
  ConfigChange change;
  change.inherit = false;
  change.user = "1000";
  apply(change, config);
  CHECK(!config.entrypoint);
  CHECK(config.env.empty());
  CHECK(config.labels.empty());
  CHECK(config.user == "1000");
  CHECK(config.other_config == "{}");
  CHECK(config.diff_ids.size() == 1);
}

TEST_CASE("a healthcheck without a test is none at all") {
  oci::ImageConfig config = base();
  ConfigChange change;
  change.healthcheck = ConfigChange::Health{};
  apply(change, config);
  CHECK(config.healthcheck->test == std::vector<std::string>{"NONE"});
}

}  // namespace
}  // namespace lithify
