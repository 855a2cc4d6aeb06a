// Users and groups: explicit ids, nothing taken twice, every file kept up.
#include "builder/run/edit_users.h"

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

constexpr std::int64_t k_time = 315532800;

void put_file(Tree::Nodes& nodes, oci::BlobStore& store, const std::string& path,
              std::string_view text, std::uint32_t mode = 0644) {
  add_implied_parents(nodes, path, k_time);
  Node node;
  node.attributes.mode = mode;
  const oci::BlobRef blob = oci::put(store, text);
  node.content = Slice{blob, 0, blob.size};
  nodes[path] = node;
}

std::string text_of(const Tree& tree, std::string_view path,
                    const oci::BlobStore& store) {
  const Node* node = tree.find(path);
  if (node == nullptr || !node->content) return "(none)";
  return oci::read_all(*open_content(*node->content, store), 1 << 20, path);
}

User user(std::string name, std::uint32_t id) {
  User made;
  made.name = std::move(name);
  made.uid = id;
  made.gid = id;
  return made;
}

std::string refusal(const std::vector<User>& users, const Tree& below,
                    oci::BlobStore& store) {
  try {
    add_users({users}, below, store, k_time);
  } catch (const oci::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a user in an empty image brings root along") {
  oci::MemoryStore store;
  User app = user("app", 1000);
  app.home = "/home/app";
  app.shell = "/bin/sh";
  app.create_home = true;
  const Tree change = add_users({{app}}, Tree(), store, k_time);
  CHECK(text_of(change, "etc/passwd", store) ==
        "root:*:0:0:root:/root:/usr/sbin/nologin\n"
        "app:*:1000:1000::/home/app:/bin/sh\n");
  CHECK(text_of(change, "etc/group", store) == "root:*:0:\napp:*:1000:\n");
  const Node* home = change.find("home/app");
  REQUIRE(home != nullptr);
  CHECK(home->attributes.mode == 0700);
  CHECK(home->attributes.uid == 1000);
  CHECK(home->attributes.gid == 1000);
  CHECK(home->attributes.mtime == k_time);
  CHECK(change.find("etc/shadow") == nullptr);
  REQUIRE(change.find("etc") != nullptr);
  CHECK(change.find("etc")->implied);
}

TEST_CASE("shadow files are kept up where they exist, and odd lines survive") {
  oci::MemoryStore store;
  Tree::Nodes nodes;
  put_file(nodes, store, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n+nis\n");
  put_file(nodes, store, "etc/group", "root:x:0:\nadm:x:4:\n");
  put_file(nodes, store, "etc/shadow", "root:*:19000:0:99999:7:::\n", 0640);
  put_file(nodes, store, "etc/gshadow", "root:*::\nadm:*::\n", 0640);
  User app = user("app", 1000);
  app.groups = {"adm"};
  const Tree change = add_users({{app}}, Tree(nodes), store, k_time);
  CHECK(text_of(change, "etc/passwd", store) ==
        "root:x:0:0:root:/root:/bin/bash\n+nis\n"
        "app:x:1000:1000::/nonexistent:/usr/sbin/nologin\n");
  CHECK(text_of(change, "etc/group", store) == "root:x:0:\nadm:x:4:app\napp:x:1000:\n");
  CHECK(text_of(change, "etc/shadow", store) ==
        "root:*:19000:0:99999:7:::\napp:!*::0:99999:7:::\n");
  CHECK(text_of(change, "etc/gshadow", store) == "root:*::\nadm:*::app\napp:!*::\n");
  CHECK(change.find("etc/shadow")->attributes.mode == 0640);
}

TEST_CASE("names and ids that are taken are refused") {
  oci::MemoryStore store;
  Tree::Nodes nodes;
  put_file(nodes, store, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
  put_file(nodes, store, "etc/group", "root:x:0:\n");
  const Tree below(nodes);
  CHECK(refusal({user("root", 7)}, below, store) ==
        "user root is there already, with uid 0");
  CHECK(refusal({user("app", 0)}, below, store) ==
        "uid 0 of user app is taken by user root");
  CHECK(refusal({user("a", 5), user("a", 6)}, below, store) ==
        "user a is there already, with uid 5");
  CHECK(refusal({user("a:b", 5)}, below, store) ==
        "'a:b' is no user name: expected at most 32 letters, digits, '_', '-' and '.', "
        "not starting with a digit, '-' or '.'");
  User lost = user("app", 5);
  lost.groups = {"wheel"};
  CHECK(refusal({lost}, below, store) ==
        "user app shall be in group wheel, which does not exist");
  User sly = user("app", 5);
  sly.gecos = "x\nroot2::0:0";
  CHECK(refusal({sly}, below, store).find("cannot stand in /etc/passwd") !=
        std::string::npos);
}

TEST_CASE("accounts are not added to what is no file") {
  oci::MemoryStore store;
  Tree::Nodes nodes;
  put_file(nodes, store, "etc/passwd/x", "");
  CHECK(refusal({user("a", 5)}, Tree(nodes), store) ==
        "/etc/passwd is no file, so no account can be added to it");
}

TEST_CASE("groups get members that exist") {
  oci::MemoryStore store;
  Tree::Nodes nodes;
  put_file(nodes, store, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
  put_file(nodes, store, "etc/group", "root:x:0:\n");
  const Tree change =
      add_groups({{{"ops", 50, {"root"}}, {"dev", 51, {}}}}, Tree(nodes), store, k_time);
  CHECK(text_of(change, "etc/group", store) == "root:x:0:\nops:*:50:root\ndev:*:51:\n");
  CHECK(change.find("etc/passwd") == nullptr);
  CHECK_THROWS_AS(add_groups({{{"ops", 50, {"nobody"}}}}, Tree(nodes), store, k_time),
                  oci::Error);
}

}  // namespace lithify
