// lock: what is written is read back, and nothing else is.
#include "builder/plan/lock.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using lithify::Lock;
using oci::Digest;

namespace {

lithify::LockedPackage package(const std::string& name, const std::string& version,
                               const std::string& arch = "amd64") {
  return {name,
          "debian",
          arch,
          version,
          "pool/main/" + name + ".deb",
          812,
          Digest::of(name + version + arch)};
}

Lock sample() {
  Lock lock;
  lock.encoders["zstd"] = "zstd-1.5.4";
  lock.images.push_back({"layout:base:v1", {"linux", "arm", "v7"}, Digest::of("m"), 7});
  lock.images.push_back({"docker.io/library/debian:12",
                         {"linux", "amd64", ""},
                         Digest::of("n"),
                         8,
                         Digest::of("i")});
  lock.indexes.push_back({"debian", "bookworm", Digest::of("r"), "4CB50190207B4758"});
  lock.packages = {package("libssl3", "3.0.22-1~deb12u2"), package("bash", "1:5.2+b1")};
  lock.outputs.push_back({"stage:deps/1/linux/arm/v7", Digest::of("o")});
  lock.sets.push_back({"hello/0/linux/amd64", "bash libssl3=3.*", {"libssl3", "bash"}});
  lock.urls.push_back(
      {"https://host.example/a b#c", 1, Digest::of("u"), Digest::of("t")});
  return lock;
}

oci::Error failure(const std::string& text) {
  try {
    Lock::parse(text, "lithify.lock");
  } catch (const oci::Error& error) {
    return error;
  }
  FAIL("was accepted: " << text);
  return {oci::Errc::internal, ""};
}

const std::string k_head = "lock: 1\nformat: 1\n";

}  // namespace

TEST_CASE("a lock's text is sorted blocks with a blank line between") {
  Lock lock;
  lock.packages = {package("b", "1"), package("a", "2")};
  lock.sets.push_back({"image/0/linux/amd64", "a", {"b", "a"}});
  const std::string hash_a = Digest::of("a2amd64").hex();
  const std::string hash_b = Digest::of("b1amd64").hex();
  CHECK(lock.str() ==
        "# Written by `lithify lock`. Commit this file. Do not edit by hand.\n"
        "lock: 1\nformat: 1\n\npackages:\n"
        "  - name: a\n    source: debian\n    arch: amd64\n    version: 2\n"
        "    path: pool/main/a.deb\n    size: 812\n    sha256: " +
            hash_a +
            "\n\n"
            "  - name: b\n    source: debian\n    arch: amd64\n    version: 1\n"
            "    path: pool/main/b.deb\n    size: 812\n    sha256: " +
            hash_b +
            "\n\nsets:\n  - set: image/0/linux/amd64\n    request: a\n    packages:\n"
            "      - a\n      - b\n");
}

TEST_CASE("a lock is read back as it was") {
  Lock lock = sample();
  const std::string text = lock.str();
  lock.normalise();
  CHECK(Lock::parse(text, "lithify.lock") == lock);
  CHECK(Lock::parse(text, "lithify.lock").str() == text);
  CHECK(Lock::parse(Lock().str(), "lithify.lock") == Lock());
}

TEST_CASE("an image of a registry is written with the index it is of") {
  Lock lock;
  const std::string ref = "x.example/a:1@" + Digest::of("i").str();
  lock.images = {{ref, {"linux", "arm64", ""}, Digest::of("m"), 8, Digest::of("i")},
                 {"layout:base", {"linux", "arm64", ""}, Digest::of("m"), 8}};
  CHECK(lock.str() ==
        "# Written by `lithify lock`. Commit this file. Do not edit by hand.\n"
        "lock: 1\nformat: 1\n\nimages:\n"
        "  - ref: layout:base\n    platform: linux/arm64\n    manifest: " +
            Digest::of("m").str() + "\n    size: 8\n\n  - ref: " + ref +
            "\n    index: " + Digest::of("i").str() +
            "\n    platform: linux/arm64\n    manifest: " + Digest::of("m").str() +
            "\n    size: 8\n");
  const std::string broken = k_head + "images:\n  - ref: a\n    index: ";
  const std::string rest = "\n    platform: linux/arm64\n    size: 1\n    manifest: ";
  const std::string digest = Digest::of("m").str();
  CHECK_NOTHROW(Lock::parse(broken + digest + rest + digest + "\n", "f"));
  CHECK(failure(broken + "sha256:12" + rest + digest + "\n").place().line == 5);
  CHECK(failure(broken + rest + digest + "\n").place().line == 5);
  // One ref on one platform is one manifest.
  const std::string entry = broken.substr(k_head.size() + 8) + digest + rest;
  CHECK(failure(k_head + "images:\n" + entry + digest + "\n" + entry +
                Digest::of("n").str() + "\n")
            .id() == "L0220");
}

TEST_CASE("who signed a base stands in the lock") {
  Lock lock;
  const Digest key = Digest::of("k"), root = Digest::of("i");
  lock.images.push_back({"docker.io/library/debian:12",
                         {"linux", "amd64", ""},
                         Digest::of("m"),
                         8,
                         root,
                         Digest::of("asked"),
                         {{"signature", "bundle", key, root},
                          {"https://spdx.dev/Document", "bundle", key, root}}});
  lock.normalise();
  CHECK(Lock::parse(lock.str(), "f") == lock);
  const std::string text = lock.str();
  CHECK(text.find("    size: 8\n    verify: " + Digest::of("asked").str() +
                  "\n    verified:\n      - https://spdx.dev/Document bundle " +
                  key.str() + " " + root.str() + "\n") != std::string::npos);

  // Nobody, nonsense, and answers without a question.
  const std::size_t verified = text.find("    verified:");
  CHECK(failure(text.substr(0, verified)).place().line == 6);
  CHECK_THROWS_AS(Lock::parse(text.substr(0, verified) + "    verified:\n", "f"),
                  oci::Error);
  for (const char* verdict : {"signature bundle x y", "signature bundle", "a b c d e"}) {
    CHECK_THROWS_AS(
        Lock::parse(text.substr(0, verified) + "    verified:\n      - " + verdict + "\n",
                    "f"),
        oci::Error);
  }
  const std::size_t verify = text.find("    verify:");
  CHECK_THROWS_AS(Lock::parse(text.substr(0, verify) + text.substr(verified), "f"),
                  oci::Error);
}

TEST_CASE("odd characters survive a lock") {
  Lock lock;
  for (const char* url :
       {"- x", "a: b", "a #b", "\"q\\\"", "tab\there", " lead", "trail ",
        "colon:", "caf\xc3\xa9", "a  b", "~", "*", "%", "@x", "=", "'"}) {
    lock.urls.push_back({url, 1, Digest::of(url)});
  }
  lock.sets.push_back({"k", "", {"- x", "a: b", "name:arm64=1:2.3"}});
  lock.normalise();
  CHECK(Lock::parse(lock.str(), "f") == lock);
}

TEST_CASE("entries of a lock are found") {
  const Lock lock = sample();
  REQUIRE(lock.find_package("debian", "bash", "amd64", "1:5.2+b1"));
  CHECK_FALSE(lock.find_package("debian", "bash", "arm64", "1:5.2+b1"));
  CHECK(lock.find_set("hello/0/linux/amd64")->request == "bash libssl3=3.*");
  CHECK_FALSE(lock.find_set("hello/1/linux/amd64"));
  CHECK(lock.find_url("https://host.example/a b#c")->size == 1);
  CHECK_FALSE(lock.find_url("https://host.example/"));
}

TEST_CASE("a merged lock is read in any order, with equal entries folded") {
  const std::string entry =
      "  - url: http://h/x\n    size: 1\n    sha256: " + Digest::of("x").hex() + "\n";
  const Lock lock = Lock::parse(k_head + "urls:\r\n" + entry + "\n# note\n" + entry, "f");
  CHECK(lock.urls.size() == 1);
}

TEST_CASE("a broken lock says where") {
  const std::string hash = Digest::of("x").hex();
  SECTION("conflict markers") {
    const oci::Error error = failure(k_head + "<<<<<<< HEAD\n");
    CHECK(error.id() == "L0221");
    CHECK(error.place().line == 3);
    CHECK(error.hint() == "keep either side of each conflict, then run `lithify lock`");
  }
  SECTION("newer versions") {
    CHECK(std::string(failure("lock: 2\n").what()) == "`lock: 2` needs a newer lithify");
    CHECK(failure("lock: 1\nformat: 2\n").id() == "L0222");
  }
  SECTION("a bad number") {
    const oci::Error error =
        failure(k_head + "urls:\n  - url: x\n    size: 1k\n    sha256: " + hash + "\n");
    CHECK(std::string(error.what()) == "`size` is no number of bytes");
    CHECK(error.place().line == 5);
    CHECK(error.place().column == 5);
    CHECK(error.place().length == 4);
    CHECK(
        error.hint() ==
        "restore lithify.lock from version control, or delete it and run `lithify lock`");
  }
  SECTION("two entries that disagree") {
    const std::string entry = "  - url: x\n    sha256: " + hash + "\n    size: ";
    CHECK(failure(k_head + "urls:\n" + entry + "1\n" + entry + "2\n").place().line == 7);
  }
}

TEST_CASE("hostile locks are refused") {
  const std::string hash = Digest::of("x").hex();
  const std::string url = "urls:\n  - url: x\n    size: 1\n    sha256: " + hash + "\n";
  const std::string text = GENERATE_REF(
      std::string(), std::string("lock: 0\n"), std::string("lock: 1\n"),
      std::string("lock: 99999999999999999999\n"), std::string("{lock: 1}\n"),
      k_head + "what:\n", k_head + "urls: x\n", k_head + "urls:\n  - x\n",
      k_head + "urls:\n- url: x\n", k_head + "urls:\n    url: x\n", k_head + url + url,
      k_head + url + "    size: 1\n", k_head + url + "    more: 1\n",
      k_head + url + "      - member\n", k_head + url + "\tsize: 1\n",
      k_head + "urls:\n  - url: \"x\n", k_head + "urls:\n  - url: \"\\q\"\n",
      k_head + "urls:\n  - url: \"\\xff\"\n", k_head + "urls:\n  - url: \"\\x0\n",
      k_head + "urls:\n  - url: x\n    size: -1\n    sha256: " + hash + "\n",
      k_head + "urls:\n  - url:\n    size: 1\n    sha256: " + hash + "\n",
      k_head + "encoders:\n  - zstd: x\n", k_head + "encoders:\n  a: b\n  a: c\n",
      k_head + "images:\n  - ref: x\n    platform: y\n",
      k_head + "sets:\n  - set: x\n    request: x\n    packages: y\n",
      k_head + "lock: 1\n", k_head + std::string("a\0b", 3));
  CHECK_THROWS_AS(Lock::parse(text, "f"), oci::Error);
}

TEST_CASE("the key of a set is read from its end") {
  using lithify::SetKey;
  for (const SetKey& key : {SetKey{"image", 0, {"linux", "amd64", ""}},
                            SetKey{"a/1/b", 12, {"linux", "arm", "v7"}},
                            SetKey{"3", 4, {"linux", "arm64", ""}}}) {
    CHECK(SetKey::parse(key.str()) == key);
  }
  CHECK(SetKey{"image", 0, {"linux", "arm", "v7"}}.str() == "image/0/linux/arm/v7");
  for (const char* text : {"", "/", "image", "0/linux/amd64", "image/x/linux/amd64",
                           "image/0/linux", "image/0//amd64"}) {
    INFO(text);
    CHECK_FALSE(SetKey::parse(text));
  }
}

TEST_CASE("an entry has an owner") {
  CHECK(lithify::owner_of("stage:deps/0/linux/amd64") == "stage:deps");
  CHECK(lithify::owner_of("a/1/b/12/linux/arm/v7") == "a/1/b");
  CHECK(lithify::owner_of("nonsense") == "nonsense");
}

TEST_CASE("what a command said is kept with its outputs") {
  Lock lock;
  lock.set_output({"image/0/linux/amd64", Digest::of("2"), Digest::of("asked")});
  CHECK(lock.str().ends_with("    tree: " + Digest::of("2").str() +
                             "\n    asked: " + Digest::of("asked").str() + "\n"));
  CHECK(Lock::parse(lock.str(), "lithify.lock") == lock);
}

TEST_CASE("the outputs of a command are found by its name and replaced") {
  Lock lock;
  CHECK(lock.find_output("stage:deps/0/linux/amd64") == nullptr);
  lock.set_output({"stage:deps/0/linux/amd64", Digest::of("1")});
  lock.set_output({"image/0/linux/amd64", Digest::of("2")});
  lock.set_output({"stage:deps/0/linux/amd64", Digest::of("3")});
  REQUIRE(lock.outputs.size() == 2);
  CHECK(lock.find_output("stage:deps/0/linux/amd64")->tree == Digest::of("3"));
  CHECK(lock.str().ends_with(
      "\noutputs:\n  - step: image/0/linux/amd64\n    tree: " + Digest::of("2").str() +
      "\n\n  - step: stage:deps/0/linux/amd64\n    tree: " + Digest::of("3").str() +
      "\n"));
  CHECK(Lock::parse(lock.str(), "lithify.lock") == lock);
  const std::string entry = "  - step: a/0/linux/amd64\n    tree: ";
  CHECK(failure(k_head + "\noutputs:\n" + entry + Digest::of("1").str() + "\n" + entry +
                Digest::of("2").str() + "\n")
            .place()
            .line == 7);
  CHECK(failure(k_head + "\noutputs:\n" + entry + "sha256:00\n").place().line == 6);
}
