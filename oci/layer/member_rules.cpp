#include "oci/layer/member_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

namespace oci {

namespace {

constexpr std::string_view k_whiteout = ".wh.";
constexpr std::string_view k_opaque = ".wh..wh..opq";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

MemberRules::MemberRules(Of what, std::string name, const ArchiveLimits& limits)
    : what_(what), name_(std::move(name)), limits_(limits) {}

void MemberRules::refuse(std::string_view path, const std::string& what) const {
  constexpr std::size_t k_shown = 200;
  const bool cut = path.size() > k_shown;
  throw Error(Errc::bad_input,
              fmt::format("{}: member `{}{}` {}", name_, path.substr(0, k_shown),
                          cut ? "…" : "", what));
}

Entry MemberRules::admit(Entry member) {
  count(member);
  const bool slash = !member.path.empty() && member.path.back() == '/';
  if (slash && member.type != FileType::directory) {
    refuse(member.path, "ends with a slash but is no directory");
  }
  member.path = clean(member.path, member);
  member.mtime_fraction = 0;  // layers and trees have whole seconds
  drop_overlay_xattrs(member);
  if (member.path.empty()) {
    if (member.type != FileType::directory) refuse(".", "is no directory");
    return member;
  }
  if (member.type == FileType::symlink && member.link.empty()) {
    refuse(member.path, "is a symlink without a target");
  }
  if (member.type == FileType::hardlink) {
    member.link = clean(member.link, member);
    check_link(member);
  }
  std::string own_path = member.path;
  if (what_ == Of::layer) read_whiteout(member);
  imply_parents(own_path);
  const Known now = member.type == FileType::directory  ? Known::directory
                    : member.type == FileType::regular  ? Known::regular
                    : member.type == FileType::hardlink ? Known::regular
                                                        : Known::other;
  if (const auto before = known_.find(own_path); before != known_.end()) {
    check_again(member, before->second, now);
  }
  remember(std::move(own_path), now);
  return member;
}

void MemberRules::count(const Entry& member) {
  if (++entries_ > limits_.entries) {
    refuse(member.path, fmt::format("is one more than the {} allowed", limits_.entries));
  }
  if (member.path.size() > limits_.path || member.link.size() > limits_.path) {
    refuse(member.path,
           fmt::format("has a name or link of more than {} bytes", limits_.path));
  }
  if (member.size > limits_.content - content_) {
    refuse(member.path,
           fmt::format("has {} bytes, beyond the {} allowed for all contents",
                       member.size, limits_.content));
  }
  content_ += member.size;
  std::uint64_t xattrs = 0;
  for (const auto& [name, value] : member.attributes.xattrs) {
    if (name.empty() || name.find('\0') != name.npos) {
      refuse(member.path, "has an extended attribute without a proper name");
    }
    xattrs += name.size() + value.size();
  }
  if (xattrs > limits_.xattrs) {
    refuse(member.path,
           fmt::format("has more than {} bytes of extended attributes", limits_.xattrs));
  }
}

// `path` without "." and doubled slashes. What leaves the archive is refused, not bent.
std::string MemberRules::clean(std::string_view path, const Entry& member) const {
  if (path.empty()) refuse(member.path, "has an empty name or link");
  if (path.front() == '/') refuse(path, "has an absolute name or link");
  if (path.find('\0') != path.npos) refuse(member.path, "has a NUL in its name or link");
  std::string cleaned;
  unsigned depth = 0;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") refuse(member.path, "leaves the archive with `..`");
    if (++depth > limits_.depth) {
      refuse(member.path, fmt::format("is deeper than {} directories", limits_.depth));
    }
    if (!cleaned.empty()) cleaned += '/';
    cleaned += component;
  }
  return cleaned;
}

// OCI image-spec, layer.md, "Whiteouts". A name is a whiteout whatever its type, so a
// whiteout that is no empty file is a trick.
void MemberRules::read_whiteout(Entry& member) const {
  if (member.type == FileType::char_device && member.device_major == 0 &&
      member.device_minor == 0) {
    refuse(member.path, "is the device 0:0, a whiteout in disguise");
  }
  const std::string_view path = member.path;
  const std::string_view parent = parent_of(path);
  if (starts_with(parent, k_whiteout) || parent.find("/.wh.") != parent.npos) {
    refuse(path, "lies below a whiteout");
  }
  const std::string_view name = path.substr(parent.empty() ? 0 : parent.size() + 1);
  if (!starts_with(name, k_whiteout)) return;
  if (member.type != FileType::regular || member.size != 0) {
    refuse(path, "is a whiteout but no empty file");
  }
  const bool opaque = name == k_opaque;
  const std::string_view hidden = name.substr(k_whiteout.size());
  if (!opaque && (hidden.empty() || hidden == "." || hidden == ".." ||
                  starts_with(hidden, k_whiteout))) {
    refuse(path, "is a whiteout of no name");
  }
  std::string target(parent);
  if (!opaque) target += (parent.empty() ? "" : "/") + std::string(hidden);
  member.type = opaque ? FileType::opaque : FileType::whiteout;
  const std::int64_t mtime = member.attributes.mtime;
  member.attributes = {};
  member.attributes.mtime = mtime;
  member.path = std::move(target);
}

// They steer the overlay file system that a layer may be unpacked onto.
void MemberRules::drop_overlay_xattrs(Entry& member) const {
  member.attributes.xattrs.erase_if([](const auto& xattr) {
    return starts_with(xattr.first, "trusted.overlay.") ||
           starts_with(xattr.first, "user.overlay.");
  });
}

void MemberRules::check_link(const Entry& member) const {
  const auto target = known_.find(member.link);
  if (target == known_.end()) {
    refuse(member.path,
           fmt::format("is a hard link to `{}`, which is not before it", member.link));
  }
  if (target->second != Known::regular) {
    refuse(member.path,
           fmt::format("is a hard link to `{}`, which is no regular file", member.link));
  }
}

void MemberRules::check_again(const Entry& member, Known before, Known now) const {
  const bool was_directory = before == Known::implied || before == Known::directory;
  if (was_directory && now == Known::directory) return;
  if (was_directory)
    refuse(member.path, "is no directory, but an earlier member needs one");
  if (what_ == Of::layer) refuse(member.path, "is there twice");
}

void MemberRules::imply_parents(std::string_view path) {
  for (std::string_view parent = parent_of(path); !parent.empty();
       parent = parent_of(parent)) {
    const auto known = known_.find(std::string(parent));
    if (known == known_.end()) {
      remember(std::string(parent), Known::implied);
      continue;
    }
    if (known->second == Known::regular || known->second == Known::other) {
      refuse(path, fmt::format("lies below `{}`, which is no directory", parent));
    }
    return;  // what is above it has been seen to
  }
}

void MemberRules::remember(std::string path, Known known) {
  remembered_ += path.size();
  if (remembered_ > limits_.names) {
    refuse(path,
           fmt::format("is beyond the {} bytes allowed for all names", limits_.names));
  }
  known_.insert_or_assign(std::move(path), known);
}

}  // namespace oci
