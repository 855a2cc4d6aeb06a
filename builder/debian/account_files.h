// AccountFiles: /etc/passwd, group, shadow and gshadow, read, added to and written back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "builder/debian/installed_root.h"

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
  // False if there is no such group; nothing happens for a user who is in it.
  bool add_members(std::string_view group, const std::set<std::string>& users);

  // What shadowconfig does: passwords move to shadow and gshadow.
  void make_shadow();

  // Writes the files that changed.
  void write(InstalledRoot& root) const;

 private:
  using Line = std::vector<std::string>;
  using File = std::vector<Line>;

  // The first line of each name and of each id, of lines with enough fields.
  class Index {
   public:
    Index(const File& file, std::size_t fields);
    // The last line of the file is new.
    void add_last(const File& file);
    const Line* of_name(const File& file, std::string_view name) const;
    const Line* of_id(const File& file, std::uint32_t id) const;

   private:
    void add(const Line& line, std::size_t number);

    std::size_t fields_;
    std::map<std::string, std::size_t, std::less<>> names_;
    std::unordered_map<std::uint32_t, std::size_t> ids_;
  };

  static File parse(const InstalledRoot& root, std::string_view path);
  static std::string text_of(const File& file);
  static std::optional<std::uint32_t> number(const Line* line, std::size_t field);

  File passwd_;
  File group_;
  Index users_;
  Index groups_;
  std::optional<File> shadow_;
  std::optional<File> gshadow_;
};

}  // namespace lithify
