#include "builder/command/identity.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/lines.h"
#include "builder/plan/suggest.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_file = 16 << 20;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

using Fields = std::vector<std::string_view>;

Fields fields_of(std::string_view line) {
  Fields fields;
  for (;;) {
    const std::size_t end = line.find(':');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

// One of the two files: lines whose first field is a name and whose third a number.
class Accounts {
 public:
  Accounts(const Tree& tree, std::string_view path, std::size_t fields,
           const oci::BlobStore& store)
      : text_(text_of(tree, path, store)) {
    for (const std::string_view line : lines_of(text_)) {
      Fields entry = fields_of(line);
      if (entry.size() >= fields && number(entry[2]))
        entries_.push_back(std::move(entry));
    }
  }

  const Fields* of_name(std::string_view name) const {
    return find([&](const Fields& entry) { return entry[0] == name; });
  }
  const Fields* of_id(std::uint32_t id) const {
    return find([&](const Fields& entry) { return number(entry[2]) == id; });
  }
  const std::vector<Fields>& entries() const { return entries_; }

  [[noreturn]] void refuse(std::string_view what, std::string_view name) const {
    std::vector<std::string> names;
    for (const Fields& entry : entries_)
      names.emplace_back(entry[0]);
    Error error(Errc::bad_input,
                fmt::format("there is no {} `{}` where the step runs", what, name));
    if (const auto near = suggest(name, names)) {
      error.add_hint(fmt::format("did you mean `{}`?", *near));
    } else {
      error.add_hint(
          fmt::format("write numbers, `user: 1000:1000`, or add the {0} with "
                      "a `{0}s` step before",
                      what));
    }
    throw error;
  }

 private:
  template <class Predicate>
  const Fields* find(Predicate wanted) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), wanted);
    return found == entries_.end() ? nullptr : &*found;
  }

  static std::string text_of(const Tree& tree, std::string_view path,
                             const oci::BlobStore& store) {
    const auto at = tree.resolve(path);
    const Node* node = at ? tree.find(*at) : nullptr;
    if (node == nullptr || !node->content) return {};
    return oci::read_all(*open_content(*node->content, store), k_max_file, path);
  }

  std::string text_;
  std::vector<Fields> entries_;
};

}  // namespace

Identity identity_in(const Tree& tree, std::string_view user,
                     const oci::BlobStore& store) {
  const std::size_t colon = user.find(':');
  const std::string_view name = user.substr(0, colon);
  const Accounts users(tree, "etc/passwd", 6, store);
  const Accounts groups(tree, "etc/group", 4, store);
  Identity identity;
  const auto uid = number(name);
  const Fields* entry = uid ? users.of_id(*uid) : users.of_name(name);
  if (!uid && entry == nullptr) users.refuse("user", name);
  identity.uid = uid ? *uid : number((*entry)[2]).value();
  if (entry != nullptr) {
    identity.gid = number((*entry)[3]).value_or(0);
    if (!(*entry)[5].empty()) identity.home = (*entry)[5];
  } else if (identity.uid == 0) {
    identity.home = "/root";
  }
  if (colon != std::string_view::npos) {
    const std::string_view group = user.substr(colon + 1);
    const auto gid = number(group);
    const Fields* named = gid ? nullptr : groups.of_name(group);
    if (!gid && named == nullptr) groups.refuse("group", group);
    identity.gid = gid ? *gid : number((*named)[2]).value();
    return identity;  // who names a group wants that one alone
  }
  if (entry == nullptr) return identity;
  for (const Fields& group : groups.entries()) {
    const std::string members = fmt::format(",{},", group[3]);
    if (members.find(fmt::format(",{},", (*entry)[0])) != std::string::npos)
      identity.groups.push_back(*number(group[2]));
  }
  std::sort(identity.groups.begin(), identity.groups.end());
  return identity;
}

}  // namespace lithify
