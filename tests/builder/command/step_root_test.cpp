// step_root: what a command makes is the same on a copy of its root and on a shared one.
#include "builder/root/step_root.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/store/directory_store.h"

#include "builder/command/run_step.h"
#include "builder/run/edit.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::Node;
using lithify::Tree;
using lithify::testing::shape_of;

namespace {

// Three changes: a system, something on top of it that also takes away, and a little
// more.
class Bench {
 public:
  Bench() {
    tools.shared = std::make_shared<lithify::SharedRoots>(place.path() / "roots");
    step.label = "run test";
    step.below = 3;
    if (const char* program = std::getenv("LITHIFY")) tools.program = program;
    changes = {system(), second(), third()};
  }

  // Some of it belongs to ids that only a sandbox can remove.
  ~Bench() {
    lithify::prune_roots(
        place.path() / "roots", [](std::int64_t) { return true; }, tools.program);
  }

  bool possible() const {
    const lithify::SandboxProbe& probe = lithify::probe_sandbox(tools.at_most);
    return fs::exists("/bin/busybox") && probe.level != lithify::SandboxLevel::none &&
           (!probe.owners_need_entering || !tools.program.empty());
  }
  bool has_overlay() const { return lithify::probe_sandbox(tools.at_most).overlay; }
  bool has_owners() const {
    return lithify::probe_sandbox(tools.at_most).level >= lithify::SandboxLevel::id_range;
  }

  Tree perform(const std::string& script) {
    run.what.argv = {"/bin/sh", "-eu", "-c", script};
    oci::Activity activity(silent, "step");
    try {
      return lithify::perform_run(step, run, changes, store, tools, activity, {});
    } catch (const oci::Error& error) {
      for (const std::string& note : error.notes())
        UNSCOPED_INFO(note);
      throw;
    }
  }
  Tree perform_on_copy(const std::string& script,
                       lithify::SandboxLevel at_most = lithify::SandboxLevel::root) {
    const lithify::RunTools before = tools;
    tools.shared = nullptr;
    tools.at_most = at_most;
    Tree made = perform(script);
    tools = before;
    return made;
  }

  std::vector<fs::path> roots() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(place.path() / "roots")) {
      if (entry.is_directory()) found.push_back(entry.path());
    }
    return found;
  }

  static Node node(oci::FileType type, std::uint32_t mode, std::uint32_t owner = 0) {
    Node made;
    made.type = type;
    made.attributes = {mode, owner, owner, lithify::k_constant_time, {}};
    return made;
  }
  void add(Tree::Nodes& nodes, const std::string& path, const std::string& text,
           std::uint32_t mode = 0644, std::uint32_t owner = 0) {
    lithify::add_implied_parents(nodes, path, lithify::k_constant_time);
    Node made = node(oci::FileType::regular, mode, owner);
    if (!text.empty()) {
      const oci::BlobRef blob = oci::put(store, text);
      made.content = lithify::Slice{blob, 0, blob.size};
    }
    nodes.insert_or_assign(path, std::move(made));
  }

  TemporaryDirectory place;
  oci::DirectoryStore store{place.path()};
  oci::SilentReporter silent;
  lithify::Step step;
  lithify::Run run;
  std::vector<Tree> changes;
  lithify::RunTools tools{place.path() / "work", place.path() / "caches",
                          place.path() / "logs"};

 private:
  void add_program(Tree::Nodes& nodes, const std::string& path) {
    if (fs::exists(path)) add(nodes, path.substr(1), oci::read_file(path, 8 << 20), 0755);
  }
  Tree system() {
    Tree::Nodes nodes;
    add_program(nodes, "/bin/busybox");
    for (const char* name :
         {"/usr/bin/setfattr", "/lib64/ld-linux-x86-64.so.2",
          "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libattr.so.1"})
      add_program(nodes, name);
    for (const char* name :
         {"sh",       "cat",    "chmod", "ln",   "ls",    "mkdir", "mv",
          "rm",       "touch",  "chown", "stat", "rmdir", "dd",    "cp",
          "truncate", "printf", "seq",   "find", "xargs", "tar"}) {
      Node link = node(oci::FileType::symlink, 0777);
      link.link = "busybox";
      nodes.emplace(std::string("bin/") + name, link);
    }
    for (int i = 0; i < 60; ++i)
      add(nodes, "usr/share/many/" + std::to_string(i), std::to_string(i));
    add(nodes, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    add(nodes, "srv/data", "old\n");
    add(nodes, "srv/empty", "");
    add(nodes, "srv/setuid", "program", 04755);
    add(nodes, "srv/closed", "secret", 0);
    add(nodes, "srv/d/one", "1");
    add(nodes, "srv/d/sub/two", "2");
    add(nodes, "srv/d/sub/deep/three", "3");
    add(nodes, "srv/a b\n\xC3\xA9'\"\\", "odd");
    add(nodes, "srv/old/a", "a");
    add(nodes, "srv/old/b", "b");
    nodes["srv/private"] = node(oci::FileType::directory, 0700, 33);
    add(nodes, "srv/private/file", "of 33", 0600, 33);
    nodes["srv/shut"] = node(oci::FileType::directory, 0);
    add(nodes, "srv/shut/in", "shut in");
    nodes["tmp"] = node(oci::FileType::directory, 01777);
    nodes["srv/marked"] = node(oci::FileType::directory, 0755);
    nodes["srv/marked"].attributes.xattrs["user.overlay.opaque"] = "y";
    Node link = node(oci::FileType::symlink, 0777);
    link.link = "d";
    nodes["srv/link"] = link;
    add(nodes, "srv/name1", "linked");
    nodes["srv/name1"].file_id = 7;
    nodes["srv/name2"] = nodes["srv/name1"];
    return Tree(std::move(nodes));
  }
  Tree second() {
    Tree::Nodes nodes;
    add(nodes, "srv/data2", "second\n");
    nodes["srv/old"] = node(oci::FileType::opaque, 0750);
    add(nodes, "srv/old/c", "c");
    lithify::add_implied_parents(nodes, "srv/d/one", lithify::k_constant_time);
    nodes["srv/d/one"] = node(oci::FileType::whiteout, 0);
    return Tree(std::move(nodes));
  }
  Tree third() {
    Tree::Nodes nodes;
    nodes["srv"] = node(oci::FileType::directory, 02755);
    add(nodes, "srv/third", "third\n", 0640);
    return Tree(std::move(nodes));
  }
};

constexpr const char* k_mutations[] = {
    "true",
    "ls -lR / > /dev/null 2>&1 || true",
    "echo new > /srv/new",
    "echo more >> /srv/data",
    "printf 'old\\n' > /srv/data",
    "cp /srv/data /t; cat /t > /srv/data; rm /t",
    "touch /srv/data /srv/d /bin/sh",
    "chmod 600 /srv/data",
    "chmod 600 /srv/data; chmod 644 /srv/data",
    "chmod 700 /srv/d; chmod 711 /",
    "chmod 4711 /srv/data; chmod 2755 /srv/d",
    "echo x >> /srv/setuid",
    "chmod u-s /srv/setuid",
    "rm /srv/data /srv/data2",
    "rm -r /srv/d",
    "rm -r /srv/d; mkdir /srv/d",
    "rm -r /srv/d; mkdir /srv/d; echo 1 > /srv/d/one; echo new > /srv/d/new",
    "rm -r /srv/d; mkdir -p /srv/d/sub; echo 2 > /srv/d/sub/two",
    "rm -r /srv/d; echo file > /srv/d",
    "rm -r /srv/d; ln -s old /srv/d",
    "rm /srv/data; mkdir /srv/data; touch /srv/data/in",
    "rm /srv/link; mkdir /srv/link",
    "rm /srv/link; cp /srv/data /srv/link",
    "ln -sf old /srv/link.new; mv -f /srv/link.new /srv/link || true",
    "mv /srv/data /srv/moved",
    "mv /srv/data /srv/data2",
    "mv /srv/d /srv/e",
    "mv /srv/d/sub /srv/d/sub2; mv /srv/d/sub2 /srv/d/sub",
    "mkdir /srv/n; echo x > /srv/n/x; mv /srv/n /srv/m; ln /srv/m/x /srv/m/y",
    "rm -r /srv/old; mkdir /srv/n; mv /srv/n /srv/old",
    "ln /srv/data /srv/hard",
    "echo x > /srv/new; ln /srv/new /srv/new2; ln /srv/new /a",
    "rm /srv/name1",
    "echo changed > /srv/name1",
    "rm /srv/name2; ln /srv/name1 /srv/name2",
    "echo both > /srv/name1; ln -f /srv/name1 /srv/name2",
    "rm /srv/empty; touch /srv/empty",
    "truncate -s 5M /srv/sparse; echo end >> /srv/sparse",
    "truncate -s 0 /srv/data",
    "dd if=/dev/zero of=/srv/data bs=1 seek=4096 count=1 2>/dev/null",
    "p=/srv; for i in $(seq 1 60); do p=$p/deep; done; mkdir -p $p; echo x > $p/file",
    "chmod 700 /srv/shut; echo x >> /srv/shut/in; chmod 0 /srv/shut",
    "mkdir -p /srv/no/in; touch /srv/no/in/f; chmod 0 /srv/no/in /srv/no",
    "cat /srv/closed > /srv/open; chmod 644 /srv/closed",
    "for f in /srv/a*; do echo more >> \"$f\"; done; touch \"$(printf "
    "'/srv/\\001\\177')\"",
    "rm -r /tmp; mkdir -m 1777 /tmp",
    "touch /tmp/x /dev/shm/y; mkdir /mnt; rmdir /mnt",
    "rm -rf /srv; mkdir /srv",
    "rm -rf /srv; mkdir /srv; touch /srv/data; echo 2 > /srv/data2",
    "for i in $(seq 0 59); do echo $i$i > /usr/share/many/$i; done",
    "mv /usr/share/many/1 /usr/share/many/2; mv /usr/share/many/3 /usr/share/many/1",
    "mkdir /srv/marked/in; touch /srv/marked/in/file",
    "touch /srv/same; rm /srv/same",
    "tar -C /srv -cf /d.tar d old; rm -r /srv/d /srv/old; tar -C /srv -xf /d.tar; rm "
    "/d.tar",
    "find /srv -name 't*' -type f | xargs touch; cp -a /srv/d /srv/d2",
    "echo x > /etc/passwd-; echo y > /.hidden; echo z > '/srv/..b'",
};

constexpr const char* k_owner_mutations[] = {
    "chown 33:44 /srv/data",
    "chown -R 33:33 /srv/d",
    "chown 0:0 /srv/private /srv/private/file",
    "chown 5 /srv/data; chown 0 /srv/data",
    "touch /srv/n; chown 33:44 /srv/n; chmod 6755 /srv/n",
    "chown 7:7 /srv/setuid",
    "chown -h 9:9 /srv/link",
    "mkdir -m 700 /srv/p; echo x > /srv/p/f; chown -R 44:44 /srv/p; chmod 0 /srv/p",
    "rm -r /srv/private; mkdir -m 700 /srv/private; chown 33:33 /srv/private",
    "echo more >> /srv/private/file",
    "rm -r /srv/private",
};

}  // namespace

TEST_CASE("a command makes the same of a shared root as of a copy") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  std::vector<std::string> scripts(std::begin(k_mutations), std::end(k_mutations));
  if (bench.has_owners()) {
    scripts.insert(scripts.end(), std::begin(k_owner_mutations),
                   std::end(k_owner_mutations));
  }
  if (fs::exists("/usr/bin/setfattr")) {
    scripts.push_back("setfattr -n user.mine -v 1 /srv/data; setfattr -n user.d /srv/d");
    scripts.push_back("setfattr -n user.overlay.opaque -v y /srv/d || true");
  }
  for (const std::string& script : scripts) {
    INFO(script);
    const Tree copied = bench.perform_on_copy(script);
    const Tree shared = bench.perform(script);
    CHECK(shape_of(copied) == shape_of(shared));
    CHECK(copied.digest() == shared.digest());
  }
  CHECK(bench.roots().size() == 2);  // of the first change, and a layer for the others
  CHECK(fs::is_empty(bench.tools.work));
}

TEST_CASE("a command makes the same where nothing can be mounted") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay() || ::geteuid() != 0) return;
  for (const std::string script : k_mutations) {
    // The machine's own root keeps a set-uid bit when it writes, and has no /dev/shm
    // there.
    if (script.find(">> /srv/setuid") != script.npos) continue;
    if (script.find("/dev/shm") != script.npos) continue;
    INFO(script);
    const Tree plain = bench.perform_on_copy(script, lithify::SandboxLevel::chroot);
    CHECK(plain.digest() == bench.perform(script).digest());
  }
}

TEST_CASE("further steps lie as layers on the first, and many of them on a root again") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  std::vector<Tree> grown = bench.changes;
  for (int i = 0; i < 12; ++i) {
    const std::string script = "echo " + std::to_string(i) + " > /srv/n" +
                               std::to_string(i % 5) + "; rm -f /usr/share/many/" +
                               std::to_string(i) + "; cat /srv/n*";
    INFO(i);
    const Tree copied = bench.perform_on_copy(script);
    const Tree shared = bench.perform(script);
    CHECK(copied.digest() == shared.digest());
    bench.changes.push_back(shared);
    ++bench.step.below;
  }
  CHECK(bench.roots().size() == 13);
}

TEST_CASE("a shared root that somebody wrote to is made anew") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  const std::string script = "cat /srv/data > /out";
  const Tree first = bench.perform(script);
  std::size_t changed = 0;
  for (const fs::path& root : bench.roots()) {
    if (!fs::exists(root / "root/srv/data")) continue;
    std::FILE* file = std::fopen((root / "root/srv/data").c_str(), "r+");
    REQUIRE(file != nullptr);
    std::fputs("bad\n", file);
    std::fclose(file);
    ++changed;
  }
  REQUIRE(changed == 1);
  bench.tools.shared =
      std::make_shared<lithify::SharedRoots>(bench.place.path() / "roots");
  CHECK(bench.perform(script).digest() == first.digest());
}

TEST_CASE("what somebody left half made is no root") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  const Tree first = bench.perform("ls -R /srv > /out || true");
  const std::vector<fs::path> roots = bench.roots();
  for (const fs::path& root : roots) {
    fs::create_directories(root.string() + ".part/root/half");
    fs::remove(root / "stamp");
  }
  bench.tools.shared =
      std::make_shared<lithify::SharedRoots>(bench.place.path() / "roots");
  CHECK(bench.perform("ls -R /srv > /out || true").digest() == first.digest());
  CHECK(bench.roots().size() == roots.size());
}

TEST_CASE("commands one after another in one root see what earlier ones wrote") {
  Bench bench;
  if (!bench.possible()) return;
  const lithify::SandboxProbe& probe = lithify::probe_sandbox();
  const bool shares = GENERATE(true, false);
  const lithify::RootTools tools{bench.store, probe, bench.tools.program,
                                 shares ? bench.tools.shared.get() : nullptr};
  oci::Activity activity(bench.silent, "step");
  TemporaryDirectory work;
  const Tree whole = lithify::merge_below(bench.changes, bench.step.on_base);
  lithify::StepRoot root({whole, bench.changes}, work.path(), tools, activity, {});
  std::vector<std::string> made;
  for (const char* script : {"echo one > /srv/one; rm /srv/data", "mv /srv/one /srv/two",
                             "[ ! -e /srv/data ]; ln /srv/two /srv/three"}) {
    lithify::SandboxPlan plan;
    plan.level = probe.level;
    plan.owners = probe.owners;
    plan.argv = {"/bin/sh", "-eu", "-c", script};
    plan.env = {"PATH=/bin"};
    root.put_into(plan);
    const lithify::SandboxOutcome outcome =
        lithify::run_sandbox(plan, lithify::SandboxOutput(), {});
    CHECK(outcome.exit_status == 0);
    made.insert(made.end(), outcome.made.begin(), outcome.made.end());
  }
  if (root.is_overlay())
    CHECK_THROWS_WITH(root.copy_instead(activity, {}),
                      Catch::Matchers::Contains("mounted once more"));
  const Tree change = root.changes(made, lithify::k_constant_time, activity, {});
  CHECK(shape_of(change) == "i srv\nw srv/data\nf srv/three\nf srv/two\n");
}

TEST_CASE("a private cache that is taken has another one beside it") {
  Bench bench;
  if (!bench.possible()) return;
  lithify::RunMount cache;
  cache.kind = lithify::RunMount::Kind::cache;
  cache.id = "c";
  cache.at = "/cache";
  cache.share = lithify::RunMount::Share::apart;
  bench.run.what.mounts = {cache};
  bench.perform("echo first > /cache/x");
  std::vector<fs::path> homes;
  for (const auto& entry : fs::directory_iterator(bench.tools.caches))
    homes.push_back(entry.path());
  REQUIRE(homes.size() == 1);
  {
    const oci::Fd taken = oci::open_file(homes[0] / "lock", O_RDWR);
    REQUIRE(::flock(taken.get(), LOCK_EX | LOCK_NB) == 0);
    bench.perform("[ ! -e /cache/x ]; echo second > /cache/x");
    bench.perform("[ \"$(cat /cache/x)\" = second ]");
  }
  bench.perform("[ \"$(cat /cache/x)\" = first ]");
}

TEST_CASE("who cannot rename a directory of the base is told what to do") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  const std::string script = "echo 'rename: Invalid cross-device link' >&2; exit 1";
  try {
    bench.perform(script);
    FAIL("it did not fail");
  } catch (const oci::Error& error) {
    CHECK(error.hint().find("LITHIFY_ROOTS=copy") != std::string::npos);
  }
  try {
    bench.perform_on_copy(script);
    FAIL("it did not fail");
  } catch (const oci::Error& error) {
    CHECK(error.hint().find("LITHIFY_ROOTS") == std::string::npos);
  }
}

TEST_CASE("roots are removed when nobody uses them, and only then") {
  Bench bench;
  if (!bench.possible() || !bench.has_overlay()) return;
  bench.perform("true");
  const fs::path roots = bench.place.path() / "roots";
  const lithify::RootTools tools{bench.store, lithify::probe_sandbox(),
                                 bench.tools.program, bench.tools.shared.get()};
  oci::Activity activity(bench.silent, "step");
  const auto always = [](std::int64_t) { return true; };
  CHECK(lithify::prune_roots(
            roots, [](std::int64_t) { return false; }, "") == 0);
  {
    const lithify::HeldRoot held =
        bench.tools.shared->tree(bench.changes.back(), tools, activity, {});
    REQUIRE(held.directories.size() == 1);
    CHECK(lithify::prune_roots(roots, always, bench.tools.program) > 1'000'000);
    CHECK(bench.roots().size() == 1);
    CHECK(fs::exists(fs::path(held.directories.front()) / "srv/third"));
  }
  CHECK(lithify::prune_roots(roots, always, bench.tools.program) > 6);
  CHECK(fs::is_empty(roots));
  CHECK(bench.perform("true").nodes().empty());
}
