// MemberRules: what a member of a stranger's archive may be, given those before it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "oci/layer/entry.h"
#include "oci/layer/layer_reader.h"

namespace oci {

class MemberRules {
 public:
  enum class Of {
    layer,   // ".wh." names are whiteouts; a member twice is refused
    archive  // ".wh." names are files; a later member replaces
  };
  // `name` stands for the archive in messages.
  MemberRules(Of what, std::string name, const ArchiveLimits& limits);

  // The member with its path cleaned and its type told, or Errc::bad_input.
  Entry admit(Entry member);

 private:
  // What a path has been so far. Implied directories exist because something is below.
  enum class Known : std::uint8_t { implied, directory, regular, other };

  [[noreturn]] void refuse(std::string_view path, const std::string& what) const;
  void count(const Entry& member);
  std::string clean(std::string_view path, const Entry& member) const;
  void read_whiteout(Entry& member) const;
  void drop_overlay_xattrs(Entry& member) const;
  void remember(std::string path, Known known);
  void imply_parents(std::string_view path);
  void check_link(const Entry& member) const;
  void check_again(const Entry& member, Known before, Known now) const;

  Of what_;
  std::string name_;
  ArchiveLimits limits_;
  std::uint64_t entries_ = 0;
  std::uint64_t content_ = 0;
  std::uint64_t remembered_ = 0;
  std::unordered_map<std::string, Known> known_;
};

}  // namespace oci
