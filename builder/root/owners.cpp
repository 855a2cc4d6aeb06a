#include "builder/root/owners.h"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/survey.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::size_t k_max_text = 64 << 20;
constexpr const char* k_capability = "security.capability";

// chown takes setuid bits and capabilities away.
void change_owner(const oci::Fd& root, const std::string& path, const Owner& owner) {
  const std::string parent(parent_of(path));
  const std::string name(name_of(path));
  const oci::Fd directory =
      oci::open_beneath(root, parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY);
  struct stat info {};
  if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return;  // a device, which only the machine's root can make
    throw oci::errno_error(errno, "looking at " + path);
  }
  const std::string full = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
  std::string capability(64, '\0');
  const ssize_t size =
      ::lgetxattr(full.c_str(), k_capability, capability.data(), capability.size());
  if (::fchownat(directory.get(), name.c_str(), owner.uid, owner.gid,
                 AT_SYMLINK_NOFOLLOW) != 0)
    throw oci::write_error(errno, "changing the owner of " + path);
  if (S_ISLNK(info.st_mode)) return;
  if (::fchmodat(directory.get(), name.c_str(), info.st_mode & 07777, 0) != 0)
    throw oci::write_error(errno, "changing the mode of " + path);
  if (size > 0 && ::lsetxattr(full.c_str(), k_capability, capability.data(),
                              static_cast<std::size_t>(size), 0) != 0)
    throw oci::write_error(errno, "setting the capabilities of " + path);
}

std::uint32_t take_number(std::string_view& text) {
  std::uint32_t value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end == text.data() + text.size() || *end != ' ')
    throw Error(Errc::bad_input, "a list of owners has a line without a number");
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return value;
}

}  // namespace

Owners owners_of(const Tree& tree) {
  Owners owners;
  for (const auto& [path, node] : tree.nodes()) {
    const Owner owner{node.attributes.uid, node.attributes.gid};
    if (!path.empty() && owner != Owner{}) owners.emplace(path, owner);
  }
  return owners;
}

std::string owners_text(const Owners& owners) {
  std::string text;
  for (const auto& [path, owner] : owners) {
    text += fmt::format("{} {} {}", owner.uid, owner.gid, path);
    text += '\0';
  }
  return text;
}

Owners parse_owners(std::string_view text) {
  if (text.size() > k_max_text)
    throw Error(Errc::bad_input, "a list of owners is larger than 64 MiB");
  Owners owners;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos)
      throw Error(Errc::bad_input, "a list of owners ends in the middle of a line");
    std::string_view line = text.substr(0, end);
    const std::uint32_t uid = take_number(line);
    const std::uint32_t gid = take_number(line);
    owners.insert_or_assign(std::string(line), Owner{uid, gid});
    text.remove_prefix(end + 1);
  }
  return owners;
}

void give_owners(const oci::Fd& root, const Owners& owners) {
  for (const auto& [path, owner] : owners)
    change_owner(root, path, owner);
}

Owners take_owners(const oci::Fd& root) {
  Owners owners;
  for (const auto& [path, seen] : survey(root, ".", Closed::put_back, {})) {
    const Owner owner{seen.uid, seen.gid};
    if (owner == Owner{}) continue;
    if (!path.empty()) change_owner(root, path, Owner{});
    owners.emplace(path, owner);
  }
  return owners;
}

}  // namespace lithify
