// The same plan in the words of others: what must be in them, and what they cannot do.
#include "builder/sandbox/adapters.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

SandboxPlan some_plan() {
  SandboxPlan plan;
  plan.level = SandboxLevel::id_range;
  plan.owners = {{.zero = 1000, .rest = 100000, .count = 65536},
                 {.zero = 1001, .rest = 200000, .count = 65536}};
  plan.root = "/r";
  plan.argv = {"sh", "-c", "true"};
  plan.env = {"PATH=/bin", "EMPTY=", "TWO=a=b"};
  plan.mounts = {{.kind = SandboxMount::Kind::tmpfs, .target = "/a/b"},
                 {.source = "/s", .target = "/in"},
                 {.kind = SandboxMount::Kind::file, .content = "x", .target = "/etc/s"}};
  return plan;
}

bool has(const std::vector<std::string>& words, std::vector<std::string> run) {
  return std::search(words.begin(), words.end(), run.begin(), run.end()) != words.end();
}

}  // namespace

TEST_CASE("bubblewrap is told everything") {
  const std::vector<std::string> words = bwrap_words(some_plan(), {"/box/file0"}, 3);
  CHECK(has(words, {"--bind", "/r", "/"}));
  CHECK(has(words, {"--ro-bind", "/s", "/in"}));
  CHECK(has(words, {"--ro-bind", "/box/file0", "/etc/s"}));
  CHECK(has(words, {"--tmpfs", "/a/b"}));
  CHECK(has(words, {"--clearenv", "--setenv", "PATH", "/bin", "--setenv", "EMPTY", "",
                    "--setenv", "TWO", "a=b"}));
  CHECK(has(words, {"--unshare-net"}));
  CHECK(has(words, {"--cap-drop", "ALL"}));
  CHECK(has(words, {"--seccomp", "3", "--", "sh", "-c", "true"}));
}

TEST_CASE("bubblewrap shares the network when the plan does") {
  SandboxPlan plan = some_plan();
  plan.network = SandboxNetwork::host;
  CHECK_FALSE(has(bwrap_words(plan, {"/box/file0"}, 3), {"--unshare-net"}));
}

TEST_CASE("what bubblewrap cannot do is refused") {
  SandboxPlan plan = some_plan();
  plan.uid = 1000;
  CHECK_THROWS_WITH(bwrap_words(plan, {"/f"}, 3),
                    "bwrap cannot run a program as another user");
  plan = some_plan();
  plan.overlay.emplace();
  CHECK_THROWS_WITH(bwrap_words(plan, {"/f"}, 3), "bwrap cannot mount our overlay");
  CHECK_THROWS_WITH(runtime_config(plan, {"/f"}),
                    "an OCI runtime cannot mount our overlay");
}

TEST_CASE("an OCI runtime is told everything") {
  SandboxPlan plan = some_plan();
  plan.uid = 33;
  plan.groups = {4};
  plan.limits.file_size = 77;
  const nlohmann::json config =
      oci::parse_json(runtime_config(plan, {"/box/file0"}), "the configuration");
  CHECK(config["root"]["path"] == "/r");
  CHECK(config["hostname"] == "lithify");
  const nlohmann::json& process = config["process"];
  CHECK(process["args"] == nlohmann::json({"sh", "-c", "true"}));
  CHECK(process["env"] == nlohmann::json({"PATH=/bin", "EMPTY=", "TWO=a=b"}));
  CHECK(process["user"]["uid"] == 33);
  CHECK(process["user"]["umask"] == 022);
  CHECK(process["noNewPrivileges"] == true);
  CHECK(process["capabilities"]["inheritable"].empty());
  CHECK(process["capabilities"]["bounding"].size() == 6);
  const nlohmann::json& system = config["linux"];
  CHECK(system["uidMappings"][0]["hostID"] == 1000);
  CHECK(system["uidMappings"][1]["hostID"] == 100000);
  CHECK(system["uidMappings"][1]["size"] == 65535);
  CHECK(system["gidMappings"][1]["hostID"] == 200000);
  CHECK(system["namespaces"].size() == 7);
  const nlohmann::json refused = system["seccomp"]["syscalls"][0]["names"];
  CHECK(std::find(refused.begin(), refused.end(), "mount") != refused.end());
  CHECK(std::find(refused.begin(), refused.end(), "keyctl") != refused.end());
}

TEST_CASE("an OCI runtime gets mounts parents first, after its own") {
  const nlohmann::json config =
      oci::parse_json(runtime_config(some_plan(), {"/box/file0"}), "the configuration");
  std::vector<std::string> targets;
  for (const nlohmann::json& mount : config["mounts"])
    targets.push_back(mount["destination"]);
  CHECK(targets == std::vector<std::string>{"/proc", "/dev", "/dev/pts", "/dev/shm",
                                            "/sys", "/in", "/a/b", "/etc/s"});
  CHECK(config["mounts"][7]["source"] == "/box/file0");
  CHECK(config["mounts"][5]["options"][1] == "ro");
}
