// What a program is told of the time, of directories and of itself, at every level, with
// busybox.
#include "builder/sandbox/tracer.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/foreign_sandbox.h"

#include "tests/support/catch.h"

using namespace lithify;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t k_year_2001 = 1'000'000'000;
constexpr std::int64_t k_400_days = 400LL * 86400;

// A root with busybox, which is static, and a program that is not.
class Root {
 public:
  explicit Root(const SandboxProbe& probe) : probe_(probe) {
    char name[] = "/tmp/lithify-tracer-XXXXXX";
    path_ = mkdtemp(name);
    ::chmod(path_.c_str(), 0755);
    fs::create_directories(path_ / "bin");
    fs::copy_file("/bin/busybox", path_ / "bin/busybox");
    for (const char* applet :
         {"sh", "true", "cat", "find", "date", "sleep", "usleep", "seq", "touch", "kill"})
      fs::create_symlink("busybox", path_ / "bin" / applet);
    for (const auto& entry : fs::recursive_directory_iterator(path_))
      own(entry.path());
    own(path_);
  }
  ~Root() {
    if (probe_.owners_need_entering)
      run_as_owner(probe_.owners, {"/bin/rm", "-rf", path_.string()}, {}, {});
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  const fs::path& path() const { return path_; }
  // With what it needs to start, at the same places as here.
  void add_dynamic(const fs::path& program) const {
    std::vector<fs::path> files = {program, "/lib64/ld-linux-x86-64.so.2",
                                   "/lib/x86_64-linux-gnu/libc.so.6"};
    for (const fs::path& file : files) {
      const fs::path to = path_ / file.relative_path();
      fs::create_directories(to.parent_path());
      fs::copy_file(file, to, fs::copy_options::overwrite_existing);
      for (fs::path at = to; at != path_; at = at.parent_path())
        own(at);
    }
  }

 private:
  void own(const fs::path& file) const {
    if (::geteuid() == 0)
      ::lchown(file.c_str(), probe_.owners.uid.zero, probe_.owners.gid.zero);
  }
  const SandboxProbe& probe_;
  fs::path path_;
};

SandboxPlan plan_for(const SandboxProbe& probe, const Root& root,
                     std::vector<std::string> argv) {
  SandboxPlan plan;
  plan.level = probe.level;
  plan.owners = probe.owners;
  plan.root = root.path();
  plan.argv = std::move(argv);
  plan.env = {"PATH=/bin", "TZ=UTC"};
  return plan;
}

SandboxPlan plan_for(const SandboxProbe& probe, const Root& root, std::string script) {
  return plan_for(probe, root, {"/bin/sh", "-c", std::move(script)});
}

std::string output_of(const SandboxPlan& plan) {
  std::string output;
  const SandboxOutcome outcome =
      run_sandbox(plan, [&](std::string_view text) { output += text; }, {});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.signal == 0);
  for (const std::string& weaker : outcome.weaker)
    CHECK(weaker.find("real time") == weaker.npos);
  return output;
}

std::vector<std::string> words_of(std::istream& text) {
  std::vector<std::string> words;
  for (std::string word; text >> word;)
    words.push_back(word);
  return words;
}

template <class Body>
void at_each_level(Body body) {
  for (const SandboxLevel level : {SandboxLevel::root, SandboxLevel::id_range,
                                   SandboxLevel::single_id, SandboxLevel::chroot}) {
    const SandboxProbe& probe = probe_sandbox(level);
    if (probe.level != level) continue;
    INFO("level " << level_name(level));
    const Root root(probe);
    body(probe, root);
  }
}

}  // namespace

TEST_CASE("a clock that stands still says one time to every program of the sandbox") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    SandboxPlan plan = plan_for(probe, root,
                                "date +%s; sleep 0.01; (date +%s) & wait; "
                                "sh -c 'sh -c \"exec date +%s\"'");
    plan.clock = SandboxClock{k_year_2001};
    CHECK(output_of(plan) == "1000000000\n1000000000\n1000000000\n");
  });
}

#if defined(__x86_64__)
TEST_CASE("a program with a dynamic C library gets the told time, too") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    root.add_dynamic("/bin/date");
    SandboxPlan plan =
        plan_for(probe, root, std::vector<std::string>{"/bin/date", "+%s.%N"});
    plan.clock = SandboxClock{k_year_2001};
    CHECK(output_of(plan) == "1000000000.000000000\n");
  });
}
#endif

TEST_CASE("a program finds itself, where there is no /proc, too") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    if (probe.mounts && !probe.fresh_proc) return;  // the outer one knows other processes
    SandboxPlan plan = plan_for(
        probe, root,
        "cd /bin; for i in exe cwd root; do busybox readlink /proc/self/$i; done; "
        "busybox readlink sh; busybox readlink /proc/self/fd/9 || echo none; "
        "busybox readlink /proc/self/fd/0; exec 5</bin/cat; busybox readlink "
        "/proc/self/fd/5");
    CHECK(output_of(plan) ==
          "/bin/busybox\n/bin\n/\nbusybox\nnone\n/dev/null\n/bin/busybox\n");
  });
}

TEST_CASE("another user's program reads links, where there is no /proc, too") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    if (probe.owners.uid.count == 1) return;
    SandboxPlan plan = plan_for(probe, root, "busybox readlink /bin/sh");
    plan.uid = plan.gid = 1000;
    CHECK(output_of(plan) == "busybox\n");
  });
}

TEST_CASE("a clock that runs is as far from the real one as was asked") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    SandboxPlan plan = plan_for(probe, root, "date +%s");
    plan.clock = SandboxClock{k_400_days, true};
    const std::int64_t before = ::time(nullptr);
    const std::int64_t told = std::stoll(output_of(plan));
    CHECK(told >= before + k_400_days);
    CHECK(told <= ::time(nullptr) + k_400_days);
  });
}

TEST_CASE(
    "a program that another clock is told of can be stopped, continued and killed") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    SandboxPlan plan =
        plan_for(probe, root,
                 "sh -c 'kill -STOP $$; echo on' & usleep 50000; kill -CONT $!; wait $!; "
                 "trap 'echo trapped' USR1; kill -USR1 $$; date +%Y");
    plan.clock = SandboxClock{k_year_2001};
    CHECK(output_of(plan) == "on\ntrapped\n2001\n");
    plan.argv.back() = "sleep 100 & while :; do date >/dev/null; done";
    plan.limits.wall_time = std::chrono::milliseconds(300);
    const SandboxOutcome outcome = run_sandbox(plan, nullptr, {});
    CHECK(outcome.timed_out);
  });
}

TEST_CASE("a directory can be read the other way round") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    SandboxPlan plan = plan_for(
        probe, root, "/bin/busybox mkdir -p /d; cd /d; touch $(seq 40); find . -type f");
    std::istringstream there(output_of(plan));
    plan.reversed_directories = true;
    std::istringstream back(output_of(plan));
    const std::vector<std::string> one = words_of(there);
    std::vector<std::string> other = words_of(back);
    CHECK(one.size() == 40);
    std::reverse(other.begin(), other.end());
    CHECK(one == other);
  });
}

TEST_CASE("process ids can be left out") {
  at_each_level([](const SandboxProbe& probe, const Root& root) {
    if (probe.level == SandboxLevel::chroot) return;
    SandboxPlan plan = plan_for(probe, root, "echo $$");
    const int before = std::stoi(output_of(plan));
    plan.skipped_processes = 50;
    CHECK(std::stoi(output_of(plan)) == before + 50);
  });
}

TEST_CASE("the sandbox of others has no clock but the real one") {
  const SandboxProbe& probe = probe_sandbox();
  if (probe.level == SandboxLevel::none) return;
  const Root root(probe);
  SandboxPlan plan = plan_for(probe, root, "date");
  plan.clock = SandboxClock{k_year_2001};
  CHECK_THROWS_AS(run_foreign(SandboxRunner::bwrap, plan, "/tmp", nullptr, {}),
                  oci::Error);
}
