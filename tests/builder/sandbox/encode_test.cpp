// What the host writes is what the launcher reads, and nothing else is read.
#include "builder/sandbox/encode.h"

#include <cstring>

#include "oci/base/error.h"

#include "builder/sandbox/launcher/reader.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

SandboxPlan some_plan() {
  SandboxPlan plan;
  plan.level = SandboxLevel::single_id;
  plan.root = "/usr";
  plan.argv = {"sh", "-c", ""};
  plan.env = {"PATH=/bin"};
  plan.cwd = "/work";
  plan.groups = {4, 24};
  plan.limits.memory = 7;
  plan.mounts = {{.kind = SandboxMount::Kind::tmpfs, .target = "/a/b/c"},
                 {.source = "/usr/bin", .target = "/in"},
                 {.kind = SandboxMount::Kind::file,
                  .content = std::string("a\0b", 3),
                  .target = "/etc/secret"}};
  return plan;
}

// As the launcher has it: at an address that is aligned.
struct Image {
  explicit Image(const std::string& bytes)
      : words((bytes.size() + 7) / 8), size(bytes.size()) {
    if (size > 0) std::memcpy(words.data(), bytes.data(), size);
  }
  std::vector<std::uint64_t> words;
  std::size_t size;
};

}  // namespace

TEST_CASE("a plan that is written is read as it was") {
  const Image image(encode(some_plan(), {}));
  PlanReader reader;
  REQUIRE(reader.open(image.words.data(), image.size));
  const WirePlan& plan = reader.plan();
  CHECK(std::string(reader.text(plan.root)) == "/usr");
  CHECK(std::string(reader.text(plan.cwd)) == "/work");
  CHECK(std::string(reader.text(plan.hostname)) == "lithify");
  const char* words[4] = {};
  REQUIRE(plan.argv.count == 3);
  reader.pointers(plan.argv, words);
  CHECK(std::string(words[1]) == "-c");
  CHECK(words[2][0] == 0);
  CHECK(words[3] == nullptr);
  CHECK(reader.groups()[1] == 24);
  CHECK(plan.memory == 7);
  CHECK(plan.filter.count > 50);
}

TEST_CASE("mounts are written parents first") {
  const Image image(encode(some_plan(), {}));
  PlanReader reader;
  REQUIRE(reader.open(image.words.data(), image.size));
  REQUIRE(reader.plan().mounts.count == 3);
  CHECK(std::string(reader.text(reader.mount(0).target)) == "/in");
  CHECK(reader.mount(0).inode != 0);
  CHECK(std::string(reader.text(reader.mount(1).target)) == "/etc/secret");
  CHECK(reader.mount(1).content.length == 3);
  CHECK(std::string(reader.text(reader.mount(2).target)) == "/a/b/c");
}

TEST_CASE("a plan that is cut short or longer is none") {
  const std::string bytes = encode(some_plan(), {});
  PlanReader reader;
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    const Image image(bytes.substr(0, size));
    CHECK_FALSE(reader.open(image.words.data(), image.size));
  }
  const Image longer(bytes + "x");
  CHECK_FALSE(reader.open(longer.words.data(), longer.size));
}

TEST_CASE("offsets and counts beyond the end are refused") {
  const std::string bytes = encode(some_plan(), {});
  for (const std::size_t field :
       {offsetof(WirePlan, root), offsetof(WirePlan, upper), offsetof(WirePlan, work),
        offsetof(WirePlan, cwd), offsetof(WirePlan, hostname), offsetof(WirePlan, lower),
        offsetof(WirePlan, argv), offsetof(WirePlan, env), offsetof(WirePlan, groups),
        offsetof(WirePlan, mounts), offsetof(WirePlan, filter)}) {
    for (const std::size_t half : {std::size_t{0}, std::size_t{4}}) {
      for (const std::uint32_t value :
           {UINT32_MAX, static_cast<std::uint32_t>(bytes.size()) + 8, UINT32_MAX - 7}) {
        Image image(bytes);
        std::memcpy(reinterpret_cast<char*>(image.words.data()) + field + half, &value,
                    sizeof value);
        PlanReader reader;
        CHECK_FALSE(reader.open(image.words.data(), image.size));
      }
    }
  }
}

TEST_CASE("what a plan names must be there and be no symlink") {
  SandboxPlan plan = some_plan();
  plan.root = "/nowhere";
  CHECK_THROWS_AS(encode(plan, {}), oci::Error);
  plan = some_plan();
  plan.mounts[1].source = "/proc/self";
  CHECK_THROWS_WITH(encode(plan, {}), "the source of a mount, /proc/self is a symlink");
  plan = some_plan();
  plan.mounts[0].target = "relative";
  CHECK_THROWS_WITH(encode(plan, {}), "the mount point relative is not absolute");
  plan = some_plan();
  plan.argv.push_back(std::string("a\0b", 3));
  CHECK_THROWS_WITH(encode(plan, {}), "a word of the program holds a zero byte");
}
