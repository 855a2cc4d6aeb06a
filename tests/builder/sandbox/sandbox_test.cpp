// Sandboxes at every level that this machine and user have, with busybox as the root.
#include "builder/sandbox/sandbox.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/owner_map.h"

#include "tests/support/catch.h"

using namespace lithify;
namespace fs = std::filesystem;

namespace {

// A root with nothing but busybox, owned as the level's map wants it.
class Root {
 public:
  explicit Root(const SandboxProbe& probe) : probe_(probe) {
    char name[] = "/tmp/lithify-sandbox-XXXXXX";
    path_ = mkdtemp(name);
    ::chmod(path_.c_str(), 0755);
    fs::create_directories(path_ / "bin");
    fs::copy_file("/bin/busybox", path_ / "bin/busybox");
    for (const char* applet : {"sh", "true", "cat", "ls", "id", "sleep", "chown", "touch",
                               "grep", "stat", "kill", "nproc", "hostname", "dd", "tail"})
      fs::create_symlink("busybox", path_ / "bin" / applet);
    own("");
    for (const auto& entry : fs::recursive_directory_iterator(path_))
      own(fs::relative(entry.path(), path_).string());
  }
  ~Root() {
    if (probe_.owners_need_entering)
      run_as_owner(probe_.owners, {"/bin/rm", "-rf", path_.string()}, {}, {});
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  std::string path() const { return path_.string(); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    own(fs::path(name).parent_path().string());
    own(name);
  }
  void own(const std::string& name) const {
    const fs::path path = name.empty() ? path_ : path_ / name;
    if (::geteuid() == 0)
      ::lchown(path.c_str(), probe_.owners.uid.zero, probe_.owners.gid.zero);
  }

 private:
  const SandboxProbe& probe_;
  fs::path path_;
};

struct Ran {
  SandboxOutcome outcome;
  std::string output;
};

SandboxPlan plan_for(const SandboxProbe& probe, const Root& root, std::string script) {
  SandboxPlan plan;
  plan.level = probe.level;
  plan.owners = probe.owners;
  plan.root = root.path();
  plan.argv = {"/bin/sh", "-c", std::move(script)};
  plan.env = {"PATH=/bin"};
  return plan;
}

Ran run(const SandboxPlan& plan, std::stop_token stop = {}) {
  Ran ran;
  ran.outcome = run_sandbox(
      plan, [&](std::string_view text) { ran.output += text; }, stop);
  return ran;
}

struct Apart {
  std::string out;
  std::string err;
};

Apart run_apart(const SandboxPlan& plan) {
  Apart apart;
  const SandboxStreams streams{[&](std::string_view text) { apart.out += text; },
                               [&](std::string_view text) { apart.err += text; }};
  run_sandbox(plan, streams, {});
  return apart;
}

// Each level that there is, once.
std::vector<const SandboxProbe*> levels() {
  std::vector<const SandboxProbe*> found;
  for (const SandboxLevel level : {SandboxLevel::root, SandboxLevel::id_range,
                                   SandboxLevel::single_id, SandboxLevel::chroot}) {
    const SandboxProbe& probe = probe_sandbox(level);
    if (probe.level == level) found.push_back(&probe);
  }
  return found;
}

template <class Body>
void at_each_level(Body body) {
  REQUIRE_FALSE(levels().empty());
  for (const SandboxProbe* probe : levels()) {
    INFO("level " << level_name(probe->level));
    const Root root(*probe);
    body(*probe, const_cast<Root&>(root));
  }
}

int count_processes(const std::string& word) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.find(word) != std::string::npos) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("standard output and error come apart for who asks, each in its order") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const Apart apart = run_apart(
        plan_for(probe, root, "echo one; echo two >&2; echo three; echo four >&2"));
    CHECK(apart.out == "one\nthree\n");
    CHECK(apart.err == "two\nfour\n");
    // There is no /proc to find them by.
    if (probe.level == SandboxLevel::chroot) return;
    const Apart reopened =
        run_apart(plan_for(probe, root, "echo one >/dev/stdout; echo two >/dev/stderr"));
    CHECK(reopened.out == "one\n");
    CHECK(reopened.err == "two\n");
  });
}

TEST_CASE("a full error stream does not hold up the other") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const Apart apart = run_apart(plan_for(
        probe, root,
        "i=0; while [ $i -lt 3000 ]; do "
        "echo 0123456789012345678901234567890123456789012345678901234567890123 >&2; "
        "i=$((i+1)); done; echo end"));
    CHECK(apart.out == "end\n");
    CHECK(apart.err.size() == 3000 * 65);
  });
}

TEST_CASE("a program that somebody still writes to is waited for") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const std::string file = fs::path(root.path()) / "bin/busybox";
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    std::jthread writer([fd] {
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
      ::close(fd);
    });
    CHECK(run(plan_for(probe, root, "echo started")).output == "started\n");
  });
}

TEST_CASE("whoever wants one stream alone gets it") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    std::string err;
    const SandboxPlan plan = plan_for(probe, root, "echo one; echo two >&2");
    run_sandbox(plan,
                SandboxStreams{nullptr, [&](std::string_view text) { err += text; }}, {});
    CHECK(err == "two\n");
  });
}

TEST_CASE("a program's output, status and signal come back") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    Ran ran = run(plan_for(probe, root, "echo out; echo err >&2; echo out; exit 3"));
    CHECK(ran.output == "out\nerr\nout\n");
    CHECK(ran.outcome.exit_status == 3);
    CHECK(ran.outcome.signal == 0);
    ran = run(plan_for(probe, root, "kill -9 $$"));
    CHECK(ran.outcome.signal == 9);
    CHECK_FALSE(ran.outcome.timed_out);
  });
}

TEST_CASE("a program gets the declared environment, directory and identity alone") {
  ::setenv("LITHIFY_CANARY", "visible", 1);
  at_each_level([](const SandboxProbe& probe, Root& root) {
    SandboxPlan plan =
        plan_for(probe, root, "/bin/busybox env; pwd; id -u; id -g; umask; ulimit -n");
    plan.env = {"PATH=/bin", "A=b"};
    plan.cwd = "/bin";
    const Ran ran = run(plan);
    CHECK(ran.output.find("visible") == std::string::npos);
    CHECK(ran.output.find("A=b\n") != std::string::npos);
    CHECK(ran.output.find("/bin\n0\n0\n0022\n1024\n") != std::string::npos);
    CHECK(ran.outcome.exit_status == 0);
  });
}

TEST_CASE("pitfall 40: keys, passphrases and tokens of the user reach no program") {
  for (const char* name :
       {"COSIGN_PASSWORD", "LITHIFY_PASSWORD", "COSIGN_PKCS11_PIN", "COSIGN_PRIVATE_KEY",
        "SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "DOCKER_AUTH_CONFIG"}) {
    ::setenv(name, "canary-of-a-secret", 1);
  }
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const Ran ran = run(plan_for(probe, root, "/bin/busybox env; cat /proc/1/environ"));
    CHECK(ran.output.find("canary-of-a-secret") == std::string::npos);
  });
}

TEST_CASE("only three descriptors are open in a program, and no host file is there") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const int leak = ::dup(0);
    if (probe.fresh_proc) {
      const Ran ran = run(plan_for(probe, root, "exec ls /proc/self/fd"));
      CHECK(ran.output == "0\n1\n2\n3\n");  // the last is the listing's own
    }
    CHECK(run(plan_for(probe, root, "ls /etc /usr /home")).outcome.exit_status != 0);
    ::close(leak);
  });
}

TEST_CASE("a mount brings what it names, read-only unless it says otherwise") {
  for (const SandboxProbe* probe : levels()) {
    if (!probe->mounts) continue;
    INFO("level " << level_name(probe->level));
    const Root root(*probe);
    Root source(*probe);
    source.write("given", "text\n");
    SandboxPlan plan = plan_for(*probe, root,
                                "cat /in/given /etc/secret; touch /in/x; touch /out/x; "
                                "touch /tmp/x; ls /tmp");
    plan.mounts = {
        {.source = source.path(), .target = "/in"},
        {.source = source.path(), .target = "/out", .read_only = false},
        {.kind = SandboxMount::Kind::tmpfs, .target = "/tmp", .read_only = false},
        {.kind = SandboxMount::Kind::file,
         .content = "hidden\n",
         .target = "/etc/secret",
         .mode = 0400}};
    const Ran ran = run(plan);
    CHECK(ran.output == "text\nhidden\ntouch: /in/x: Read-only file system\nx\n");
    CHECK(fs::exists(source.path() + "/x"));
    CHECK(ran.outcome.made == std::vector<std::string>{"dev", "proc", "sys", "in", "out",
                                                       "tmp", "etc", "etc/secret"});
    CHECK(fs::file_size(root.path() + "/etc/secret") == 0);
  }
}

TEST_CASE("an overlay leaves its lower directories as they were") {
  for (const SandboxProbe* probe : levels()) {
    if (!probe->overlay) continue;
    INFO("level " << level_name(probe->level));
    const Root lower(*probe);
    Root box(*probe);
    for (const char* name : {"upper", "work"}) {
      fs::create_directory(box.path() + "/" + name);
      box.own(name);
    }
    SandboxPlan plan =
        plan_for(*probe, lower, "echo new > /made; /bin/busybox rm /bin/dd");
    plan.root.clear();
    plan.overlay = SandboxOverlay{.lower = {lower.path()},
                                  .upper = box.path() + "/upper",
                                  .work = box.path() + "/work"};
    const Ran ran = run(plan);
    CHECK(ran.output.empty());
    CHECK(ran.outcome.exit_status == 0);
    CHECK(fs::exists(box.path() + "/upper/made"));
    CHECK_FALSE(fs::exists(lower.path() + "/made"));
    CHECK(fs::is_symlink(lower.path() + "/bin/dd"));
  }
}

TEST_CASE("owners in the sandbox are the map's on the disk") {
  for (const SandboxProbe* probe : levels()) {
    if (probe->owners.uid.count == 1) continue;
    INFO("level " << level_name(probe->level));
    const Root root(*probe);
    const Ran ran =
        run(plan_for(*probe, root, "touch /f && chown 65534:42 /f && ls -ln /f"));
    CHECK(ran.output.find(" 65534    42 ") != std::string::npos);
    struct stat status = {};
    REQUIRE(::lstat((root.path() + "/f").c_str(), &status) == 0);
    CHECK(status.st_uid == probe->owners.uid.on_disk(65534));
    CHECK(probe->owners.gid.in_sandbox(status.st_gid) == 42u);
  }
}

TEST_CASE("a time limit ends everything that a program started") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    SandboxPlan plan =
        plan_for(probe, root,
                 "for i in 1 2 3; do sleep 4711.5 & done; echo started; sleep 4711.5");
    plan.limits.wall_time = std::chrono::milliseconds(400);
    const auto begin = std::chrono::steady_clock::now();
    const Ran ran = run(plan);
    CHECK(ran.outcome.timed_out);
    CHECK(ran.output == "started\n");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    CHECK(count_processes("4711.5") == 0);
  });
}

TEST_CASE("what a program leaves running is gone when it ends") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const Ran ran =
        run(plan_for(probe, root, "sleep 4712.5 & (sleep 4712.5 &) ; echo x"));
    CHECK(ran.output == "x\n");
    CHECK(ran.outcome.exit_status == 0);
    CHECK(count_processes("4712.5") == 0);
  });
}

TEST_CASE("a stop cancels a program and leaves nothing") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    std::stop_source stop;
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      stop.request_stop();
    });
    CHECK_THROWS_AS(run(plan_for(probe, root, "sleep 4713.5"), stop.get_token()),
                    oci::Cancelled);
    CHECK(count_processes("4713.5") == 0);
  });
}

TEST_CASE("an exception of the output's reader ends the program") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    const SandboxPlan plan = plan_for(probe, root, "echo x; sleep 4714.5");
    CHECK_THROWS_AS(
        run_sandbox(plan, [](std::string_view) { throw std::runtime_error("full"); }, {}),
        std::runtime_error);
    CHECK(count_processes("4714.5") == 0);
  });
}

TEST_CASE("limits hold") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    SandboxPlan plan =
        plan_for(probe, root, "dd if=/dev/zero of=/big bs=1k count=99; exit $?");
    plan.limits.file_size = 10000;
    CHECK(run(plan).outcome.exit_status == 128 + SIGXFSZ);
    CHECK(fs::file_size(root.path() + "/big") == 10000);
    plan = plan_for(probe, root, "while :; do :; done");
    plan.limits.cpu_time = std::chrono::seconds(1);
    CHECK(run(plan).outcome.signal != 0);
    plan = plan_for(probe, root, "nproc");
    plan.cpus = 1;
    CHECK(run(plan).output == "1\n");
    if (!probe.fresh_proc) return;
    plan =
        plan_for(probe, root, "tail -c 400000000 /dev/zero > /dev/null; echo survived");
    plan.limits.memory = 50'000'000;
    const Ran ran = run(plan);
    CHECK(ran.outcome.out_of_memory);
    CHECK(ran.output.empty());
  });
}

TEST_CASE("what cannot be started is an error that names it") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    SandboxPlan plan = plan_for(probe, root, "");
    plan.argv = {"no-such-program"};
    CHECK_THROWS_WITH(run(plan), "starting no-such-program: No such file or directory");
    plan = plan_for(probe, root, "true");
    plan.cwd = "/nowhere";
    CHECK_THROWS_WITH(
        run(plan), "entering the working directory /nowhere: No such file or directory");
    plan = plan_for(probe, root, "true");
    plan.root += "/nowhere";
    CHECK_THROWS_AS(run(plan), oci::Error);
  });
}

TEST_CASE("a root whose /dev or /proc leads elsewhere is refused") {
  at_each_level([](const SandboxProbe& probe, Root& root) {
    fs::create_symlink("/tmp", root.path() + "/dev");
    CHECK_THROWS_WITH(run(plan_for(probe, root, "true")),
                      "the root's own dev: Not a directory");
    CHECK_FALSE(fs::exists("/tmp/null"));
  });
}

TEST_CASE("a mount point behind a symlink stays inside the root") {
  for (const SandboxProbe* probe : levels()) {
    if (!probe->mounts) continue;
    const Root root(*probe);
    fs::create_symlink("/", root.path() + "/up");
    fs::create_symlink("../../../..", root.path() + "/out");
    SandboxPlan plan = plan_for(*probe, root, "ls -d /lithify-canary /lithify-canary2");
    plan.mounts = {{.kind = SandboxMount::Kind::tmpfs, .target = "/up/lithify-canary"},
                   {.kind = SandboxMount::Kind::tmpfs, .target = "/out/lithify-canary2"}};
    CHECK(run(plan).output == "/lithify-canary\n/lithify-canary2\n");
    CHECK_FALSE(fs::exists("/lithify-canary"));
    CHECK_FALSE(fs::exists("/lithify-canary2"));
  }
}

TEST_CASE("a source that turns into a symlink is never followed") {
  for (const SandboxProbe* probe : levels()) {
    if (!probe->mounts) continue;
    INFO("level " << level_name(probe->level));
    const Root root(*probe);
    Root box(*probe);
    Root canary(*probe);
    canary.write("word", "canary\n");
    box.write("source/word", "given\n");
    fs::create_symlink(canary.path(), box.path() + "/link");
    const std::string source = box.path() + "/source";
    const std::string link = box.path() + "/link";
    std::atomic<int> swaps = 0;
    int given = 0;
    std::jthread swapper([&](std::stop_token stop) {
      for (; !stop.stop_requested(); ++swaps)
        ::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
    });
    SandboxPlan plan = plan_for(*probe, root, "cat /in/word");
    plan.mounts = {{.source = source, .target = "/in"}};
    for (int i = 0; i < 60 || swaps < 100'000; ++i) {
      try {
        const Ran ran = run(plan);
        REQUIRE(ran.output == "given\n");
        ++given;
      } catch (const oci::Error& error) {
        const std::string what = error.what();
        CHECK((what.find("symlink") != std::string::npos ||
               what.find("symbolic links") != std::string::npos ||
               what.find("Stale") != std::string::npos));
      }
    }
    CHECK(given > 0);
  }
}

TEST_CASE("sandboxes run side by side") {
  at_each_level([](const SandboxProbe& probe, Root&) {
    std::vector<std::jthread> threads;
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const Root root(probe);  // nobody else changes a root meanwhile
        const std::string word = std::to_string(i);
        if (run(plan_for(probe, root, "echo " + word)).output == word + "\n") ++right;
      });
    }
    threads.clear();
    CHECK(right == 8);
  });
}
