// run_commands: what tests of images run, in the sandbox that this machine has.
#include "builder/command/run_commands.h"

#include <filesystem>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/directory_store.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace lithify {
namespace {

using End = CommandResult::End;

// A root with nothing but busybox in it.
struct Bench {
  TemporaryDirectory directory;
  oci::DirectoryStore store{directory.path()};
  oci::SilentReporter silent;
  RunTools tools{directory.path() / "work", directory.path() / "caches",
                 directory.path() / "logs"};
  oci::Platform platform;
  Tree::Nodes nodes;
  CommandSequence commands;

  Bench() {
    file("bin/busybox", oci::read_file("/bin/busybox", 8 << 20), 0755);
    for (const char* name : {"sh", "cat", "env", "id", "pwd", "sleep", "mkdir", "chown",
                             "chmod", "touch", "dd"}) {
      Node link;
      link.type = oci::FileType::symlink;
      link.attributes = {0777, 0, 0, k_constant_time, {}};
      link.link = "busybox";
      nodes.emplace(std::string("bin/") + name, link);
    }
    file("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n", 0644);
  }

  void file(const std::string& path, const std::string& text, std::uint32_t mode) {
    add_implied_parents(nodes, path, k_constant_time);
    Node node;
    node.attributes = {mode, 0, 0, k_constant_time, {}};
    const oci::BlobRef blob = oci::put(store, text);
    node.content = Slice{blob, 0, blob.size};
    nodes.emplace(path, std::move(node));
  }

  static RunStep script(std::string text) {
    RunStep command;
    command.argv = {"/bin/sh", "-c", std::move(text)};
    command.user = "0";
    return command;
  }

  SequenceResult perform() {
    oci::Activity activity(silent, "test");
    const Tree tree(nodes);
    SequenceResult result =
        perform_commands(commands, {tree, platform, store, tools}, activity, {});
    CHECK((!fs::exists(tools.work) || fs::is_empty(tools.work)));
    return result;
  }
  CommandResult perform(RunStep command) {
    commands.run = std::move(command);
    return perform().run.value();
  }
  const SandboxProbe& probe() const { return probe_sandbox(tools.at_most); }
  bool possible() const {
    return fs::exists("/bin/busybox") && probe().level != SandboxLevel::none;
  }
};

}  // namespace

TEST_CASE("a command's status, output and errors are told apart") {
  Bench bench;
  bench.tools.at_most = GENERATE(SandboxLevel::root, SandboxLevel::chroot);
  if (!bench.possible()) return;
  CommandResult ran = bench.perform(Bench::script("echo out; echo err >&2; exit 3"));
  CHECK(ran.end == End::exited);
  CHECK(ran.number == 3);
  CHECK(ran.out.text == "out\n");
  CHECK(ran.err.text == "err\n");
  ran = bench.perform(Bench::script("kill -9 $$"));
  CHECK(ran.end == End::signalled);
  CHECK(ran.number == 9);
  RunStep slow = Bench::script("sleep 20");
  slow.limits.timeout = 1;
  ran = bench.perform(slow);
  CHECK(ran.end == End::timed_out);
  CHECK(ran.number == 1);
}

TEST_CASE("a command has the variables that it is given, HOME, PATH and nothing else") {
  Bench bench;
  if (!bench.possible()) return;
  RunStep command;
  command.argv = {"env"};
  command.user = "0";
  command.env = {{"A", "b"}};
  CHECK(bench.perform(command).out.text ==
        "A=b\nHOME=/root\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  command.env = {{"HOME", "/srv"}, {"PATH", "/bin"}};
  CHECK(bench.perform(command).out.text == "HOME=/srv\nPATH=/bin\n");
}

TEST_CASE("commands find what those before them left, and the next sequence does not") {
  Bench bench;
  if (!bench.possible()) return;
  bench.commands.before = {Bench::script("mkdir -p /var/lib && echo made > /var/lib/x")};
  bench.commands.after = {Bench::script("cat /seen; exit 1"), Bench::script("cat /seen")};
  bench.commands.run = Bench::script("cat /var/lib/x > /seen; cat /seen");
  const SequenceResult result = bench.perform();
  CHECK(result.run->out.text == "made\n");
  REQUIRE(result.after.size() == 2);
  CHECK(result.after[0].out.text == "made\n");
  CHECK(result.after[1].number == 0);
  CHECK(result.after[1].out.size == 0);
  bench.commands = {};
  CHECK(bench.perform(Bench::script("cat /var/lib/x")).number == 1);
}

TEST_CASE("after a set-up that fails the command is left out, and tear-down runs") {
  Bench bench;
  if (!bench.possible()) return;
  bench.commands.before = {Bench::script("exit 5"), Bench::script("echo never")};
  bench.commands.run = Bench::script("echo never");
  bench.commands.after = {Bench::script("echo done; exit 1")};
  const SequenceResult result = bench.perform();
  REQUIRE(result.before.size() == 1);
  CHECK(result.before[0].number == 5);
  CHECK_FALSE(result.run);
  REQUIRE(result.after.size() == 1);
  CHECK(result.after[0].out.text == "done\n");
}

TEST_CASE("what cannot be started is a result, with the reason") {
  Bench bench;
  if (!bench.possible()) return;
  RunStep command;
  command.argv = {"/bin/none"};
  command.user = "0";
  CommandResult ran = bench.perform(command);
  CHECK(ran.end == End::not_started);
  CHECK_THAT(ran.why, Catch::Matchers::Contains("/bin/none"));
  command.argv = {"id"};
  command.user = "nobody-here";
  ran = bench.perform(command);
  CHECK(ran.end == End::not_started);
  CHECK_THAT(ran.why, Catch::Matchers::Contains("nobody-here"));
  command.user = "0";
  command.cwd = "/etc/passwd/x";
  ran = bench.perform(command);
  CHECK(ran.end == End::not_started);
  command.cwd = "/../x";
  CHECK(bench.perform(command).end == End::not_started);
}

TEST_CASE("a working directory that is not there is made, as runtimes make it") {
  Bench bench;
  if (!bench.possible()) return;
  RunStep command;
  command.argv = {"pwd"};
  command.user = "0";
  command.cwd = "/srv/app/data";
  CHECK(bench.perform(command).out.text == "/srv/app/data\n");
}

TEST_CASE("a command runs as the user it names, and leaves nothing that cannot go") {
  Bench bench;
  if (!bench.possible() || bench.probe().owners.uid.count < 34) return;
  RunStep command = Bench::script("id -u; id -g; pwd; echo $HOME");
  command.user = "web";
  CHECK(bench.perform(command).out.text == "33\n33\n/\n/srv\n");
  CHECK(
      bench
          .perform(Bench::script("mkdir -p /d/e; touch /d/e/f; chown 33:33 /d/e /d/e/f; "
                                 "chmod 0500 /d/e"))
          .number == 0);
}

TEST_CASE("an endless output is kept in part and counted in full") {
  Bench bench;
  if (!bench.possible()) return;
  const CommandResult ran =
      bench.perform(Bench::script("dd if=/dev/zero bs=65536 count=64 2>/dev/null"));
  CHECK(ran.out.size == 64 * 65536);
  CHECK(ran.out.text.size() == k_most_captured);
  CHECK(ran.out.is_cut());
}

TEST_CASE("where there is no sandbox nothing runs, and it is told why") {
  Bench bench;
  bench.tools.at_most = SandboxLevel::none;
  bench.commands.run = Bench::script("true");
  const SequenceResult result = bench.perform();
  REQUIRE(result.unable);
  CHECK_FALSE(result.run);
  CHECK_THAT(result.unable->why, Catch::Matchers::Contains("no sandbox"));
}

TEST_CASE("programs of another architecture are not run without an interpreter") {
  Bench bench;
  if (!bench.possible() || fs::exists("/proc/sys/fs/binfmt_misc/qemu-riscv64")) return;
  bench.platform.architecture = "riscv64";
  bench.commands.run = Bench::script("true");
  const SequenceResult result = bench.perform();
  REQUIRE(result.unable);
  CHECK_THAT(result.unable->why, Catch::Matchers::Contains("linux/riscv64"));
}

}  // namespace lithify
