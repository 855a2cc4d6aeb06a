// TarIndex: where the members of a tar file stand, so that they are read in place.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/fd.h"

namespace oci {

// An uncompressed tar on disk. Only headers are read when it is opened. Sources outlive
// the index: each has a descriptor of its own.
class TarIndex {
 public:
  struct Member {
    std::uint64_t offset;
    std::uint64_t size;
  };

  // Errc::bad_input for what is no tar, has a regular member twice, or is compressed.
  explicit TarIndex(std::filesystem::path file);

  // A regular member, through symbolic links to one ("../<id>/layer.tar").
  std::optional<Member> find(std::string_view name) const;
  // The same, or Errc::bad_input that says the archive lacks it.
  Member require(std::string_view name) const;
  std::unique_ptr<Source> open(const Member& member, std::uint64_t offset,
                               std::uint64_t size) const;
  // A small member as text; more than `limit` bytes is Errc::bad_input.
  std::string text(std::string_view name, std::uint64_t limit) const;

  const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Fd fd_;
  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> links_;
};

}  // namespace oci
