// AccountFiles: lines of fields, so that what is not understood survives.
#include "builder/debian/account_files.h"

#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "oci/base/error.h"

namespace lithify {
namespace {

constexpr std::string_view k_passwd = "etc/passwd";
constexpr std::string_view k_group = "etc/group";
constexpr std::string_view k_shadow = "etc/shadow";
constexpr std::string_view k_gshadow = "etc/gshadow";
constexpr std::uint64_t k_max_file = 16 << 20;
constexpr Owner k_shadow_owner = {0, 42};  // root:shadow, fixed by Debian

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_field(std::string_view field) {
  if (field.find_first_of(std::string_view(":\n\r\0", 4)) != std::string_view::npos) {
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("'{}' cannot stand in /etc/passwd: it has a ':' or a line break",
                    field));
  }
}

}  // namespace

AccountFiles::AccountFiles(const InstalledRoot& root)
    : passwd_(parse(root, k_passwd)),
      group_(parse(root, k_group)),
      users_(passwd_, 4),
      groups_(group_, 3) {
  if (root.find(k_shadow) != nullptr) shadow_ = parse(root, k_shadow);
  if (root.find(k_gshadow) != nullptr) gshadow_ = parse(root, k_gshadow);
}

AccountFiles::File AccountFiles::parse(const InstalledRoot& root, std::string_view path) {
  File file;
  const std::string text = root.read(path, k_max_file).value_or("");
  for (const std::string& line : split(text, '\n'))
    file.push_back(split(line, ':'));
  if (!file.empty() && file.back() == Line{""}) file.pop_back();
  return file;
}

std::string AccountFiles::text_of(const File& file) {
  std::string text;
  for (const Line& line : file)
    text += fmt::format("{}\n", fmt::join(line, ":"));
  return text;
}

AccountFiles::Index::Index(const File& file, std::size_t fields) : fields_(fields) {
  for (std::size_t i = 0; i < file.size(); ++i)
    add(file[i], i);
}

void AccountFiles::Index::add(const Line& line, std::size_t number) {
  if (line.size() < fields_) return;
  names_.emplace(line[0], number);
  if (const auto id = parse_number(line[2])) ids_.emplace(*id, number);
}

void AccountFiles::Index::add_last(const File& file) {
  add(file.back(), file.size() - 1);
}

const AccountFiles::Line* AccountFiles::Index::of_name(const File& file,
                                                       std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &file[found->second];
}

const AccountFiles::Line* AccountFiles::Index::of_id(const File& file,
                                                     std::uint32_t id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : &file[found->second];
}

std::optional<std::uint32_t> AccountFiles::number(const Line* line, std::size_t field) {
  return line == nullptr ? std::nullopt : parse_number((*line)[field]);
}

std::optional<std::uint32_t> AccountFiles::uid_of(std::string_view user) const {
  return number(users_.of_name(passwd_, user), 2);
}

std::optional<std::uint32_t> AccountFiles::primary_gid_of(std::string_view user) const {
  return number(users_.of_name(passwd_, user), 3);
}

std::optional<std::uint32_t> AccountFiles::gid_of(std::string_view group) const {
  return number(groups_.of_name(group_, group), 2);
}

std::optional<std::string> AccountFiles::user_of(std::uint32_t uid) const {
  const Line* line = users_.of_id(passwd_, uid);
  return line == nullptr ? std::nullopt : std::optional(line->front());
}

std::optional<std::string> AccountFiles::group_of(std::uint32_t gid) const {
  const Line* line = groups_.of_id(group_, gid);
  return line == nullptr ? std::nullopt : std::optional(line->front());
}

void AccountFiles::add_user(const Passwd& user) {
  for (const std::string* field : {&user.name, &user.gecos, &user.home, &user.shell}) {
    check_field(*field);
  }
  passwd_.push_back({user.name, shadow_ ? "x" : "*", std::to_string(user.uid),
                     std::to_string(user.gid), user.gecos, user.home, user.shell});
  users_.add_last(passwd_);
  if (shadow_) shadow_->push_back({user.name, "!*", "", "0", "99999", "7", "", "", ""});
}

void AccountFiles::add_group(std::string_view name, std::uint32_t gid) {
  check_field(name);
  group_.push_back({std::string(name), gshadow_ ? "x" : "*", std::to_string(gid), ""});
  groups_.add_last(group_);
  if (gshadow_) gshadow_->push_back({std::string(name), "!*", "", ""});
}

bool AccountFiles::add_members(std::string_view group,
                               const std::set<std::string>& users) {
  for (const std::string& user : users)
    check_field(user);
  bool found = false;
  const auto add = [&](File& file) {
    for (Line& line : file) {
      if (line.size() < 4 || line[0] != group) continue;
      found = true;
      const std::vector<std::string> words = split(line[3], ',');
      const std::set<std::string> members(words.begin(), words.end());
      for (const std::string& user : users) {
        if (members.contains(user)) continue;
        line[3] += fmt::format("{}{}", line[3].empty() ? "" : ",", user);
      }
    }
  };
  add(group_);
  if (found && gshadow_) add(*gshadow_);
  return found;
}

void AccountFiles::make_shadow() {
  if (!shadow_) {
    shadow_.emplace();
    for (Line& line : passwd_) {
      if (line.size() < 7) continue;
      shadow_->push_back({line[0], line[1], "", "0", "99999", "7", "", "", ""});
      line[1] = "x";
    }
  }
  if (!gshadow_) {
    gshadow_.emplace();
    for (Line& line : group_) {
      if (line.size() < 4) continue;
      gshadow_->push_back({line[0], line[1], "", line[3]});
      line[1] = "x";
    }
  }
}

void AccountFiles::write(InstalledRoot& root) const {
  const auto write_one = [&](std::string_view path, const File& file, bool secret) {
    const std::string text = text_of(file);
    if (root.read(path, k_max_file) == text) return;
    if (root.find(path) == nullptr && secret) {
      root.write(path, text, 0640, k_shadow_owner);
    } else {
      root.rewrite(path, text);
    }
  };
  write_one(k_passwd, passwd_, false);
  write_one(k_group, group_, false);
  if (shadow_) write_one(k_shadow, *shadow_, true);
  if (gshadow_) write_one(k_gshadow, *gshadow_, true);
}

}  // namespace lithify
