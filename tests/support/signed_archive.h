// SignedArchive: a Debian archive in memory, signed with a throwaway key.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "oci/base/digest.h"

#include "tests/support/scripted_http.h"
#include "tests/support/temporary_directory.h"

inline void run_for_test(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) != 0)
    throw std::runtime_error("failed: " + command);
}

// A key of its own, made by gpg.
class ThrowawayKey {
 public:
  ThrowawayKey() {
    run_for_test(gpg() +
                 "--quick-generate-key 'Test <test@example.org>' ed25519 sign never");
    run_for_test(gpg() + "--output " + keyring() + " --export");
    run_for_test(gpg() + "--output " + armored_keyring() + " --armor --export");
  }
  ~ThrowawayKey() {
    const std::string command =
        "gpgconf --homedir " + home() + " --kill all >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) return;  // the agent leaves with its folder
  }
  ThrowawayKey(const ThrowawayKey&) = delete;
  ThrowawayKey& operator=(const ThrowawayKey&) = delete;

  std::string keyring() const { return home() + "/keyring.gpg"; }
  std::string armored_keyring() const { return home() + "/keyring.asc"; }
  std::string sign(const std::string& text) const {
    std::ofstream(home() + "/text") << text;
    run_for_test(gpg() + "--yes --output " + home() + "/signed --clearsign " + home() +
                 "/text");
    std::ostringstream all;
    all << std::ifstream(home() + "/signed").rdbuf();
    return all.str();
  }

 private:
  std::string home() const { return directory_.path().string(); }
  std::string gpg() const {
    return "gpg --homedir " + home() +
           " --batch --pinentry-mode loopback --passphrase '' ";
  }
  TemporaryDirectory directory_;
};

// Set the parts, publish(), then break what the test is about.
struct SignedArchive {
  const ThrowawayKey& key;
  std::string base = "http://mirror/debian";
  std::string suite = "stable";
  std::string packages = "";
  std::string head =
      "Suite: stable\nCodename: rock\nDate: Sat, 01 Nov 2025 00:00:00 UTC\n"
      "Architectures: amd64\nComponents: main\nAcquire-By-Hash: yes\n";
  std::string list_name = "SHA256";
  bool compress = false;
  ScriptedHttp http = {};

  std::string at() const { return base + "/dists/" + suite + "/"; }
  std::string release_url() const { return at() + "InRelease"; }
  std::string index_url() const {
    return at() + "main/binary-amd64/by-hash/SHA256/" + oci::Digest::of(index).hex();
  }

  void publish() {
    const std::string name = "main/binary-amd64/Packages";
    index = compress ? xz(packages) : packages;
    std::string text = head + list_name + ":\n" + entry(packages, name);
    if (compress) text += entry(index, name + ".xz");
    http.pages[release_url()] = key.sign(text);
    http.pages[index_url()] = index;
  }

  std::string index = "";  // as served

 private:
  static std::string entry(const std::string& bytes, const std::string& name) {
    return " " + oci::Digest::of(bytes).hex() + " " + std::to_string(bytes.size()) + " " +
           name + "\n";
  }
  static std::string xz(const std::string& text) {
    const TemporaryDirectory directory;
    const std::string file = (directory.path() / "file").string();
    std::ofstream(file) << text;
    run_for_test("xz " + file);
    std::ostringstream all;
    all << std::ifstream(file + ".xz", std::ios::binary).rdbuf();
    return all.str();
  }
};
