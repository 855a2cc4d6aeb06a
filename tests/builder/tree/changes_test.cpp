// changes: what a program made of a tree, by comparing with what was recorded.
#include "builder/tree/changes.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/tree/materialise.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::Node;
using lithify::Tree;
using lithify::testing::shape_of;
using lithify::testing::tree_of;

namespace {

// A tree on the disk, to be changed by a test and compared.
struct StoredStep {
  explicit StoredStep(std::initializer_list<std::string_view> lines)
      : before(tree_of(lines)) {
    for (const std::string_view line : lines) {  // by the names tree_of() gives them
      const auto equals = line.find('=');
      if (line.front() == 'f') oci::put(store, line.substr(equals + 1));
    }
    oci::Activity activity(silent, "root");
    lithify::MaterialiseOptions options{store};
    options.hard_links = false;
    lithify::materialise(before, root, options, activity);
    fd = oci::open_file(root, O_RDONLY | O_DIRECTORY);
    made = lithify::survey(fd, "root", lithify::Closed::put_back, {});
  }

  Tree changes() {
    oci::Activity activity(silent, "changes");
    const auto after = lithify::survey(fd, "root", lithify::Closed::left_open, {});
    return lithify::changes(lithify::touched_between(made, after), request, store,
                            activity, {});
  }
  void write(const std::string& path, const std::string& text) const {
    std::ofstream(root / path) << text;
  }
  std::string text_of(const Node& node) const {
    const auto source = lithify::open_content(node.content.value(), store);
    return oci::read_all(*source, 1000, "content");
  }

  TemporaryDirectory directory;
  fs::path root = directory.path() / "root";
  oci::MemoryStore store;
  oci::SilentReporter silent;
  Tree before;
  oci::Fd fd;
  lithify::Survey made;
  lithify::ChangesRequest request{before, fd, "root"};
};

}  // namespace

TEST_CASE("a step that did nothing changed nothing") {
  StoredStep step({"d a", "f a/f=text", "l a/l=f", "d empty"});
  CHECK(step.changes().nodes().empty());
}

TEST_CASE("new, changed and removed files are the change, and nothing else") {
  StoredStep step({"d a", "f a/changed=old", "f a/same=text", "f a/gone=x", "d dir",
                   "f dir/inside=y", "l link=a"});
  step.write("a/changed", "new");
  step.write("a/new", "fresh");
  step.write("a/same", "text");  // written again
  fs::remove(step.root / "a/gone");
  fs::remove_all(step.root / "dir");
  fs::remove(step.root / "link");
  fs::create_symlink("b", step.root / "link");
  const Tree tree = step.changes();
  CHECK(shape_of(tree) == "i a\nf a/changed\nw a/gone\nf a/new\nw dir\nl link=b\n");
  CHECK(step.text_of(*tree.find("a/changed")) == "new");
  CHECK(step.text_of(*tree.find("a/new")) == "fresh");
  CHECK(tree.find("a/new")->attributes.mtime == lithify::k_constant_time);
}

TEST_CASE("what took the place of something else hides what was there") {
  StoredStep step({"d a", "f a/f=x", "f b=file", "l c=a"});
  fs::remove_all(step.root / "a");
  step.write("a", "now a file");
  fs::remove(step.root / "b");
  fs::create_directory(step.root / "b");
  step.write("b/in", "side");
  fs::remove(step.root / "c");
  fs::create_directory(step.root / "c");
  const Tree tree = step.changes();
  CHECK(shape_of(tree) == "f a\no b\nf b/in\no c\n");
  CHECK(shape_of(lithify::merge(step.before, tree, false)) == "f a\nd b\nf b/in\nd c\n");
}

TEST_CASE("a new mode alone keeps the content where it is") {
  StoredStep step({"f tool=text"});
  ::chmod((step.root / "tool").c_str(), 0755);
  const Tree tree = step.changes();
  REQUIRE(shape_of(tree) == "f tool\n");
  CHECK(tree.find("tool")->content == step.before.find("tool")->content);
  CHECK(tree.find("tool")->attributes.mode == 0755);
}

TEST_CASE("names of one new file stay names of one file") {
  StoredStep step({"f old=text"});
  step.write("b", "linked");
  fs::create_hard_link(step.root / "b", step.root / "a");
  fs::create_hard_link(step.root / "old", step.root / "other");
  const Tree tree = step.changes();
  REQUIRE(shape_of(tree) == "f a\nf b\nf other\n");
  CHECK(tree.find("a")->file_id != 0);
  CHECK(*tree.find("a") == *tree.find("b"));
  CHECK(tree.find("other")->file_id == 0);  // `old` did not change
  CHECK(step.text_of(*tree.find("other")) == "text");
}

TEST_CASE("what its owner closed is read all the same") {
  StoredStep step({"d a"});
  fs::create_directory(step.root / "closed");
  step.write("closed/f", "secret");
  ::chmod((step.root / "closed/f").c_str(), 0);
  ::chmod((step.root / "closed").c_str(), 0);
  const Tree tree = step.changes();
  REQUIRE(shape_of(tree) == "d closed\nf closed/f\n");
  CHECK(tree.find("closed")->attributes.mode == 0);
  CHECK(tree.find("closed/f")->attributes.mode == 0);
  CHECK(step.text_of(*tree.find("closed/f")) == "secret");
}

TEST_CASE("changes that do not count are left out") {
  StoredStep step({"d tmp", "f tmp/old=x"});
  step.request.counts = [](std::string_view path) { return !path.starts_with("tmp"); };
  step.write("tmp/new", "x");
  fs::remove(step.root / "tmp/old");
  CHECK(step.changes().nodes().empty());
}

TEST_CASE("sockets, fifos and marks are refused by name") {
  StoredStep step({"d a"});
  const std::string name = GENERATE("socket", "fifo", ".wh.x");
  const std::string path = (step.root / name).string();
  if (name == "socket") {
    const oci::Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  } else if (name == "fifo") {
    REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
  } else {
    step.write(name, "");
  }
  CHECK_THROWS_WITH(step.changes(), Catch::Matchers::Contains("/" + name));
}

TEST_CASE("an overlay's upper directory tells where to look") {
  StoredStep step({"d a", "f a/f=text", "f a/g=text"});
  const fs::path upper = step.directory.path() / "upper";
  fs::create_directories(upper / "a");
  ::chmod((upper / "a").c_str(), 0755);
  std::ofstream(upper / "a/f") << "text";  // copied up and not changed
  std::ofstream(upper / "a/new") << "new";
  ::chmod((upper / "a/f").c_str(), 0644);
  if (::mknod((upper / "a/g").c_str(), S_IFCHR, 0) != 0) return;  // only root may
  const oci::Fd fd = oci::open_file(upper, O_RDONLY | O_DIRECTORY);
  const lithify::ChangesRequest request{step.before, fd, "upper"};
  oci::Activity activity(step.silent, "changes");
  auto seen = lithify::survey(fd, "upper", lithify::Closed::left_open, {});
  const Tree tree =
      lithify::changes(lithify::touched_in_upper(fd, std::move(seen), step.before),
                       request, step.store, activity, {});
  CHECK(shape_of(tree) == "i a\nw a/g\nf a/new\n");
}
