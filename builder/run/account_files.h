// AccountFiles: /etc/passwd, group, shadow and gshadow, read, added to and written back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/run/installed_root.h"

namespace lithify {

// Lines that are not understood stay as they are. Passwords are always locked, and the
// date of their last change is empty: a build has no clock. shadow and gshadow are kept
// only where they exist.
class AccountFiles {
 public:
  struct Passwd {
    std::string name;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string gecos;
    std::string home;
    std::string shell;
  };

  // Files that are missing are empty.
  explicit AccountFiles(const InstalledRoot& root);

  bool empty() const { return passwd_.empty() && group_.empty(); }
  std::optional<std::uint32_t> uid_of(std::string_view user) const;
  std::optional<std::uint32_t> gid_of(std::string_view group) const;
  std::optional<std::uint32_t> primary_gid_of(std::string_view user) const;
  // The first name with that id.
  std::optional<std::string> user_of(std::uint32_t uid) const;
  std::optional<std::string> group_of(std::uint32_t gid) const;

  // The caller has looked whether name and id are free. A ':' or a line break in any
  // field is Errc::bad_input.
  void add_user(const Passwd& user);
  void add_group(std::string_view name, std::uint32_t gid);
  // False if there is no such group; nothing happens if the user is in it.
  bool add_member(std::string_view group, std::string_view user);

  // What shadowconfig does: passwords move to shadow and gshadow.
  void make_shadow();

  // Writes the files that changed.
  void write(InstalledRoot& root) const;

 private:
  using Line = std::vector<std::string>;
  using File = std::vector<Line>;

  static File parse(const InstalledRoot& root, std::string_view path);
  static std::string text_of(const File& file);
  static const Line* find(const File& file, std::string_view name, std::size_t fields);
  static std::optional<std::uint32_t> number(const Line* line, std::size_t field);

  File passwd_;
  File group_;
  std::optional<File> shadow_;
  std::optional<File> gshadow_;
};

}  // namespace lithify
