// run_step: commands performed on trees, in the sandbox that this machine has.
#include "builder/command/run_step.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/directory_store.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::Node;
using lithify::Run;
using lithify::RunMount;
using lithify::Step;
using lithify::Tree;
using lithify::testing::shape_of;

namespace {

// A root with nothing but busybox in it, and steps in it.
struct Bench {
  TemporaryDirectory directory;
  oci::DirectoryStore store{directory.path()};
  oci::SilentReporter silent;
  Step step;
  Run run;
  std::vector<Tree> inputs;
  std::vector<Tree> mounted;
  lithify::RunTools tools{directory.path() / "work", directory.path() / "caches",
                          directory.path() / "logs"};

  Bench() {
    step.label = "run test";
    Tree::Nodes nodes;
    file(nodes, "bin/busybox", oci::read_file("/bin/busybox", 8 << 20), 0755);
    for (const char* name : {"sh", "cat", "chmod", "ln", "ls", "mkdir", "mv", "rm", "id",
                             "env", "touch", "chown", "stat", "sort"}) {
      Node link;
      link.type = oci::FileType::symlink;
      link.attributes = {0777, 0, 0, lithify::k_constant_time, {}};
      link.link = "busybox";
      nodes.emplace(std::string("bin/") + name, link);
    }
    file(nodes, "etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n",
         0644);
    file(nodes, "etc/group", "root:x:0:\nweb:x:33:\nextra:x:44:web\n", 0644);
    file(nodes, "srv/data", "old\n", 0644);
    inputs = {Tree(std::move(nodes))};
    step.below = 1;
  }

  void file(Tree::Nodes& nodes, const std::string& path, const std::string& text,
            std::uint32_t mode) {
    lithify::add_implied_parents(nodes, path, lithify::k_constant_time);
    Node node;
    node.attributes = {mode, 0, 0, lithify::k_constant_time, {}};
    const oci::BlobRef blob = oci::put(store, text);
    node.content = lithify::Slice{blob, 0, blob.size};
    nodes.emplace(path, std::move(node));
  }
  Tree tree_with(const std::string& path, const std::string& text) {
    Tree::Nodes nodes;
    file(nodes, path, text, 0644);
    return Tree(std::move(nodes));
  }
  // Mounts come before what is below, as lower() orders them.
  void mount(RunMount mount, const Tree& tree) {
    run.mount_inputs.push_back(mounted.size());
    run.what.mounts.push_back(std::move(mount));
    mounted.push_back(tree);
  }
  Tree perform(const std::string& script) {
    run.what.argv = {"/bin/sh", "-eu", "-c", script};
    std::vector<Tree> all = mounted;
    all.insert(all.end(), inputs.begin(), inputs.end());
    oci::Activity activity(silent, "step");
    try {
      return lithify::perform_run(step, run, all, store, tools, activity, {});
    } catch (const oci::Error& error) {
      for (const std::string& note : error.notes())
        UNSCOPED_INFO(note);
      throw;
    }
  }
  std::string text_of(const Tree& tree, const std::string& path) const {
    const Node* node = tree.find(path);
    REQUIRE(node != nullptr);
    return oci::read_all(*lithify::open_content(node->content.value(), store), 4096,
                         "file");
  }
  lithify::SandboxLevel level() const {
    return lithify::probe_sandbox(tools.at_most).level;
  }
  bool possible() const {
    return fs::exists("/bin/busybox") && level() != lithify::SandboxLevel::none;
  }
};

}  // namespace

TEST_CASE("a command's changes are the step's result, and nothing of the sandbox is") {
  Bench bench;
  if (!bench.possible()) return;
  const Tree change = bench.perform(
      "echo new > /srv/new; echo more >> /srv/data; mkdir /srv/d; rm /etc/group; "
      "ln -s new /srv/link; chmod 4755 /srv/new; ls /proc /dev /sys > /dev/null");
  CHECK(shape_of(change) ==
        "w etc/group\ni srv\nd srv/d\nf srv/data\nl srv/link=new\nf srv/new\n");
  CHECK(bench.text_of(change, "srv/data") == "old\nmore\n");
  CHECK(change.find("srv/new")->attributes.mode == 04755);
  CHECK(change.find("srv/new")->attributes.mtime == lithify::k_constant_time);
}

TEST_CASE("a command knows nothing of who runs it") {
  Bench bench;
  if (!bench.possible()) return;
  bench.run.what.env = {{"MINE", "yes"}};
  bench.run.what.cwd = "/srv";
  const Tree change = bench.perform("env | sort > /env; id >> /env; umask >> /env");
  CHECK(bench.text_of(change, "env") ==
        "HOME=/root\nLC_ALL=C.UTF-8\nMINE=yes\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "PWD=/srv\nSHLVL=1\nSOURCE_DATE_EPOCH=315532800\nTZ=UTC\n"
        "uid=0(root) gid=0(root)\n0022\n");
}

TEST_CASE("with clock: epoch a command sees the build's time and no other") {
  Bench bench;
  if (!bench.possible()) return;
  bench.run.epoch = 1'000'000'000;
  bench.run.what.clock = lithify::StepClock::epoch;
  const Tree change = bench.perform("date +%s > /date; sleep 0.01; date +%s >> /date");
  CHECK(bench.text_of(change, "date") == "1000000000\n1000000000\n");
  CHECK(change.find("date")->attributes.mtime == lithify::k_constant_time);
}

TEST_CASE("files belong to whom the command gave them") {
  Bench bench;
  if (!bench.possible()) return;
  if (lithify::probe_sandbox().level < lithify::SandboxLevel::id_range) return;
  const Tree change = bench.perform("touch /a /b; chown 33:44 /a; chmod 0 /a");
  CHECK(change.find("a")->attributes.uid == 33);
  CHECK(change.find("a")->attributes.gid == 44);
  CHECK(change.find("b")->attributes.uid == 0);
  bench.run.what.user = "web";
  CHECK_THROWS_WITH(bench.perform("touch /c"), Catch::Matchers::Contains("exit status"));
}

TEST_CASE("mounts are seen and leave nothing, also where nothing can be mounted") {
  Bench bench;
  bench.tools.at_most =
      GENERATE(lithify::SandboxLevel::root, lithify::SandboxLevel::chroot);
  if (!bench.possible()) return;
  RunMount source;
  source.from = "src";
  source.at = "/src";
  bench.mount(source, bench.tree_with("deep/file", "source\n"));
  RunMount written = source;
  written.at = "/build/tree";
  written.write = true;
  bench.mount(written, bench.tree_with("in/file", "x"));
  RunMount cache;
  cache.kind = RunMount::Kind::cache;
  cache.id = "c";
  cache.at = "/cache";
  bench.run.what.mounts.push_back(cache);
  RunMount temporary;
  temporary.kind = RunMount::Kind::temporary;
  temporary.at = "/scratch";
  bench.run.what.mounts.push_back(temporary);
  std::string script =
      "cat /src/deep/file > /out; touch /build/tree/new /cache/$N /scratch/x; "
      "ls /cache >> /out";
  if (lithify::probe_sandbox(bench.tools.at_most).mounts)
    script += "; ! touch /src/new 2>/dev/null";
  bench.run.what.env = {{"N", "1"}};
  CHECK(shape_of(bench.perform(script)) == "f out\n");
  bench.run.what.env = {{"N", "2"}};
  const Tree again = bench.perform(script);
  CHECK(bench.text_of(again, "out") == "source\n1\n2\n");
}

TEST_CASE("a secret is there for the command and nowhere else") {
  Bench bench;
  if (!bench.possible()) return;
  RunMount secret;
  secret.kind = RunMount::Kind::secret;
  secret.id = "token";
  secret.at = "/run/secrets/token";
  secret.env = "TOKEN";
  bench.run.what.mounts.push_back(secret);
  CHECK_THROWS_WITH(bench.perform("true"), "the secret `token` was not given");
  bench.tools.secret = [](const std::string&) { return "very-secret"; };
  const Tree change =
      bench.perform("[ \"$(cat /run/secrets/token)\" = \"$TOKEN\" ]; echo ok > /out");
  CHECK(shape_of(change) == "f out\n");
}

TEST_CASE("with outputs only those survive, and each must be there") {
  Bench bench;
  if (!bench.possible()) return;
  bench.run.what.outputs = {"/out", "/srv/data"};
  const Tree change = bench.perform("mkdir /out; touch /out/a /else");
  CHECK(shape_of(change) == "d out\nf out/a\n");
  CHECK_THROWS_WITH(bench.perform("true"), "`run test` did not make its output /out");
}

TEST_CASE("a command that fails says how, with its last lines") {
  Bench bench;
  if (!bench.possible()) return;
  try {
    bench.perform("echo one; echo two >&2; exit 7");
    FAIL("it did not fail");
  } catch (const oci::Error& error) {
    CHECK(error.code() == oci::Errc::failed);
    CHECK(std::string(error.what()) == "`run test` ended with exit status 7");
    REQUIRE(error.notes().size() == 2);
    CHECK(error.notes()[0] == "the last that it wrote:\none\ntwo");
  }
  bench.run.what.limits.timeout = 1;
  CHECK_THROWS_WITH(bench.perform("while true; do true; done"),
                    "`run test` was stopped after 1 second");
}

TEST_CASE("the same command gives the same tree, whatever it is run beside") {
  Bench bench;
  if (!bench.possible()) return;
  const std::string script =
      "for i in 3 1 2; do echo $i > /srv/$i; done; ln /srv/1 /srv/9";
  const Tree first = bench.perform(script);
  Bench other;
  CHECK(first.digest() == other.perform(script).digest());
  CHECK(first.find("srv/1")->file_id != 0);
}

TEST_CASE("nothing is left of a step's work") {
  Bench bench;
  if (!bench.possible()) return;
  bench.perform("mkdir -p /closed/in; chmod 0 /closed/in /closed");
  CHECK_THROWS(bench.perform("exit 1"));
  CHECK(fs::is_empty(bench.tools.work));
}

TEST_CASE("what a command puts in the place of its mount is nobody's mount") {
  Bench bench;
  bench.tools.at_most = lithify::SandboxLevel::chroot;
  if (!bench.possible() || ::geteuid() != 0) return;
  RunMount cache;
  cache.kind = RunMount::Kind::cache;
  cache.id = "c";
  cache.at = "/cache";
  bench.run.what.mounts.push_back(cache);
  CHECK(bench.perform("rm -rf /cache; ln -s /etc /cache").nodes().empty());
  CHECK(shape_of(bench.perform("[ ! -e /cache/passwd ]; touch /out")) == "f out\n");
}

TEST_CASE("a script where there is no shell is told of before anything runs") {
  Bench bench;
  if (!bench.possible()) return;
  bench.inputs = {bench.tree_with("srv/data", "x")};
  CHECK_THROWS_WITH(bench.perform("true"), "there is no /bin/sh where the step runs");
}
