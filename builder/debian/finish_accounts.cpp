// finish_accounts: base-passwd's master files, sysusers.d, and adduser in scripts.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "builder/debian/account_files.h"
#include "builder/debian/finishers.h"
#include "builder/debian/lines.h"

namespace lithify {
namespace {

constexpr std::uint32_t k_sysusers_last = 999;  // sysusers allocates from here down
constexpr std::uint32_t k_adduser_first = 100;  // adduser --system from here up
constexpr std::uint32_t k_adduser_last = 999;
constexpr std::uint32_t k_nogroup = 65534;

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty() ||
      value == UINT32_MAX || value == 65535) {
    return std::nullopt;
  }
  return value;
}

bool is_account_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), good);
}

bool is_field(std::string_view text) {
  return text.find_first_of(std::string_view(":\n\r\0", 4)) == std::string_view::npos;
}

bool is_home(std::string_view text) {
  return is_field(text) && (text == "/" || is_image_path(text));
}

// ---- sysusers.d(5) -----------------------------------------------------------------

struct SystemUser {
  std::string id;  // "-", a number, "uid:gid", "uid:group" or a path
  std::string gecos;
  std::string home = "/";
  std::string shell = "/usr/sbin/nologin";
};

struct Sysusers {
  std::map<std::string, SystemUser> users;
  std::map<std::string, std::string> groups;             // name to id
  std::map<std::string, std::set<std::string>> members;  // group to users
  std::uint32_t first = 1;
  std::uint32_t last = k_sysusers_last;
};

// Words with quotes, as sysusers.d has them.
std::vector<std::string> split_quoted(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ' || line[at] == '\t' || line[at] == '\r') {
      ++at;
      continue;
    }
    std::string word;
    char quote = '\0';
    for (; at < line.size(); ++at) {
      const char c = line[at];
      if (quote != '\0') {
        if (c == quote) {
          quote = '\0';
        } else {
          word += c;
        }
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        break;
      } else {
        word += c;
      }
    }
    words.push_back(std::move(word));
  }
  return words;
}

void read_sysusers_line(Sysusers& all, std::string_view line) {
  const std::vector<std::string> words = split_quoted(line);
  if (words.size() < 2 || words[0].starts_with('#')) return;
  const auto word = [&](std::size_t i) {
    return i < words.size() && words[i] != "-" ? words[i] : std::string();
  };
  const std::string& name = words[1];
  const char type = words[0].front();
  if (type == 'r') {
    const std::string range = word(2);
    const std::size_t dash = range.find('-');
    const auto first = parse_id(range.substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : parse_id(range.substr(dash + 1));
    if (first && last && *first <= *last) {
      all.first = *first;
      all.last = *last;
    }
    return;
  }
  if (!is_account_name(name)) return;
  if (type == 'g') {
    all.groups.emplace(name, word(2));
  } else if (type == 'm' && is_account_name(word(2))) {
    all.members[word(2)].insert(name);
    all.groups.emplace(word(2), "");
    all.users.emplace(name, SystemUser{});
  } else if (type == 'u') {
    SystemUser user;
    user.id = word(2);
    user.gecos = word(3);
    if (!word(4).empty()) user.home = word(4);
    if (!word(5).empty()) user.shell = word(5);
    if (is_field(user.gecos) && is_field(user.home) && is_field(user.shell)) {
      all.users.insert_or_assign(name, std::move(user));
    }
  }
}

// Files of all directories by name; one in /etc hides its namesake in /usr/lib.
Sysusers read_sysusers(const InstalledRoot& root) {
  std::map<std::string, std::string> files;  // name to path
  for (const char* directory : {"etc/sysusers.d", "run/sysusers.d",
                                "usr/local/lib/sysusers.d", "usr/lib/sysusers.d"}) {
    for (const std::string& path : root.below(directory)) {
      if (path.ends_with(".conf")) files.emplace(path.substr(path.rfind('/') + 1), path);
    }
  }
  Sysusers all;
  for (const auto& [name, path] : files) {
    const std::string text = root.read(path).value_or("");
    for (const std::string_view line : lines_of(text))
      read_sysusers_line(all, line);
  }
  return all;
}

class SystemAccounts {
 public:
  SystemAccounts(const InstalledRoot& root, AccountFiles& accounts, const Sysusers& all)
      : root_(root), accounts_(accounts), all_(all), next_(all.last) {}

  void add() {
    for (const auto& [name, id] : all_.groups) {
      if (!all_.users.contains(name)) add_group(name, id);
    }
    for (const auto& [name, user] : all_.users)
      add_user(name, user);
    for (const auto& [group, users] : all_.members)
      accounts_.add_members(group, users);
  }

 private:
  bool is_free(std::uint32_t id) const {
    return !accounts_.user_of(id) && !accounts_.group_of(id);
  }

  // No id is ever given back, so what is above the last one is taken.
  std::optional<std::uint32_t> allocate() {
    for (; next_ >= all_.first && next_ > 0; --next_) {
      if (is_free(next_)) return next_;
    }
    return std::nullopt;
  }

  // The owner of a file that the id names by its path.
  std::optional<std::uint32_t> id_of_path(std::string_view id, bool group) const {
    if (!id.starts_with('/')) return std::nullopt;
    const Node* node = root_.find(id);
    if (node == nullptr) return std::nullopt;
    return group ? node->attributes.gid : node->attributes.uid;
  }

  std::optional<std::uint32_t> add_group(const std::string& name, std::string_view id) {
    if (const auto known = accounts_.gid_of(name)) return known;
    std::optional<std::uint32_t> gid = parse_id(id);
    if (!gid) gid = id_of_path(id, true);
    if (!gid || accounts_.group_of(*gid)) gid = allocate();
    if (gid) accounts_.add_group(name, *gid);
    return gid;
  }

  void add_user(const std::string& name, const SystemUser& user) {
    if (accounts_.uid_of(name)) return;
    const std::size_t colon = user.id.find(':');
    const std::string uid_text = user.id.substr(0, colon);
    std::optional<std::uint32_t> uid = parse_id(uid_text);
    if (!uid) uid = id_of_path(uid_text, false);
    if (uid && accounts_.user_of(*uid)) uid.reset();
    std::optional<std::uint32_t> gid;
    if (colon != std::string::npos) {
      const std::string group = user.id.substr(colon + 1);
      gid = parse_id(group);
      if (!gid) gid = accounts_.gid_of(group);
    } else {
      const auto named = all_.groups.find(name);
      const std::string id = named != all_.groups.end() && !named->second.empty()
                                 ? named->second
                                 : (uid ? std::to_string(uid.value_or(0)) : "");
      gid = add_group(name, id);
    }
    if (!uid && gid && !accounts_.user_of(*gid)) uid = gid;
    if (!uid) uid = allocate();
    if (!uid || !gid) return;
    accounts_.add_user({name, *uid, *gid, user.gecos, user.home, user.shell});
  }

  const InstalledRoot& root_;
  AccountFiles& accounts_;
  const Sysusers& all_;
  std::uint32_t next_;  // the highest id that may be free
};

// ---- adduser and addgroup in scripts -----------------------------------------------

struct AddUser {
  bool group_only = false;  // addgroup
  bool own_group = false;
  bool make_home = true;
  std::string name;
  std::string into;  // "adduser USER GROUP"
  std::string in_group;
  std::string gecos;
  std::string home = "/nonexistent";
  std::string shell = "/usr/sbin/nologin";
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
};

// Takes an option with a value out of `words` at `i`; false if it is another option.
bool take_value(const std::vector<std::string>& words, std::size_t& i,
                std::string_view option, std::string& value) {
  if (words[i] == option && i + 1 < words.size()) {
    value = words[++i];
    return true;
  }
  if (words[i].size() > option.size() && words[i].starts_with(option) &&
      words[i][option.size()] == '=') {
    value = words[i].substr(option.size() + 1);
    return true;
  }
  return false;
}

bool take_option(AddUser& made, const std::vector<std::string>& words, std::size_t& i) {
  static const std::set<std::string, std::less<>> k_ignored = {
      "--quiet",  "--disabled-login",  "--disabled-password", "--force-badname",
      "--debug",  "--allow-bad-names", "--allow-badname",     "--allow-all-names",
      "--system", "--verbose"};
  if (k_ignored.contains(words[i])) return true;
  if (words[i] == "--group") {
    made.own_group = true;
    return true;
  }
  if (words[i] == "--no-create-home") {
    made.make_home = false;
    return true;
  }
  std::string id;
  if (take_value(words, i, "--uid", id)) return (made.uid = parse_id(id)).has_value();
  if (take_value(words, i, "--gid", id)) return (made.gid = parse_id(id)).has_value();
  return take_value(words, i, "--home", made.home) ||
         take_value(words, i, "--shell", made.shell) ||
         take_value(words, i, "--gecos", made.gecos) ||
         take_value(words, i, "--comment", made.gecos) ||
         take_value(words, i, "--ingroup", made.in_group);
}

// Only system accounts, with everything said in words.
std::optional<AddUser> parse_add_user(const ShellCommand& command) {
  std::string_view name = command.name();
  name = name.substr(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
  if (name != "adduser" && name != "addgroup") return std::nullopt;
  AddUser made;
  made.group_only = name == "addgroup";
  std::vector<std::string> words;
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    if (!command.words[i].literal) return std::nullopt;
    words.push_back(command.words[i].text);
  }
  std::vector<std::string> names;
  bool system = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    system = system || words[i] == "--system";
    if (!words[i].starts_with('-')) {
      names.push_back(words[i]);
    } else if (!take_option(made, words, i)) {
      return std::nullopt;
    }
  }
  if (names.empty() || names.size() > 2 || !is_account_name(names[0])) {
    return std::nullopt;
  }
  made.name = names[0];
  if (names.size() == 2) {
    if (made.group_only || !is_account_name(names[1])) return std::nullopt;
    made.into = names[1];
  } else if (!system || !is_field(made.gecos) || !is_home(made.home) ||
             !is_field(made.shell)) {
    return std::nullopt;
  }
  return made;
}

class ScriptAccounts {
 public:
  ScriptAccounts(InstalledRoot& root, AccountFiles& accounts)
      : root_(root), accounts_(accounts) {}

  void add(const AddUser& made) {
    if (!made.into.empty()) {
      if (accounts_.uid_of(made.name)) accounts_.add_members(made.into, {made.name});
    } else if (made.group_only || (made.own_group && accounts_.uid_of(made.name))) {
      add_group(made.name, made.gid);
    } else {
      add_user(made);
    }
  }

 private:
  template <class IsFree>
  static std::optional<std::uint32_t> first_free(IsFree is_free) {
    for (std::uint32_t id = k_adduser_first; id <= k_adduser_last; ++id) {
      if (is_free(id)) return id;
    }
    return std::nullopt;
  }

  std::optional<std::uint32_t> add_group(const std::string& name,
                                         std::optional<std::uint32_t> gid) {
    if (const auto known = accounts_.gid_of(name)) return known;
    if (gid && accounts_.group_of(*gid)) gid.reset();
    if (!gid) {
      gid = first_free([&](std::uint32_t id) { return !accounts_.group_of(id); });
    }
    if (gid) accounts_.add_group(name, *gid);
    return gid;
  }

  void add_user(const AddUser& made) {
    if (accounts_.uid_of(made.name)) return;
    std::optional<std::uint32_t> uid = made.uid;
    if (uid && accounts_.user_of(*uid)) return;
    if (!uid) {
      uid = first_free([&](std::uint32_t id) {
        return !accounts_.user_of(id) && !(made.own_group && accounts_.group_of(id));
      });
    }
    if (!uid) return;
    std::optional<std::uint32_t> gid = made.gid ? made.gid : k_nogroup;
    if (!made.in_group.empty()) {
      gid = accounts_.gid_of(made.in_group);
    } else if (made.own_group) {
      gid = add_group(made.name, made.gid ? made.gid : uid);
    }
    if (!gid) return;
    accounts_.add_user({made.name, *uid, *gid, made.gecos, made.home, made.shell});
    if (made.make_home && made.home != "/nonexistent" &&
        root_.find(made.home) == nullptr) {
      root_.directory(made.home, 0755, {*uid, *gid});
    }
  }

  InstalledRoot& root_;
  AccountFiles& accounts_;
};

// A group that another package makes must be there first, so groups come before users
// and users before memberships.
void add_accounts_of_scripts(Finishing& finishing, AccountFiles& accounts) {
  std::vector<AddUser> all;
  for (const UnpackedPackage& package : finishing.packages) {
    const std::string* script = package.script("postinst");
    if (script == nullptr) continue;
    for (const ShellCommand& command : read_commands(*script)) {
      if (command.not_on_install) continue;
      if (auto made = parse_add_user(command)) all.push_back(std::move(*made));
    }
  }
  const auto order = [](const AddUser& made) {
    return made.into.empty() ? (made.group_only ? 0 : 1) : 2;
  };
  std::stable_sort(all.begin(), all.end(), [&](const AddUser& a, const AddUser& b) {
    return order(a) < order(b);
  });
  ScriptAccounts made(finishing.root, accounts);
  for (const AddUser& one : all)
    made.add(one);
}

}  // namespace

bool imitates_account_command(const ShellCommand& command) {
  return parse_add_user(command).has_value();
}

void finish_accounts(Finishing& finishing) {
  InstalledRoot& root = finishing.root;
  for (const char* file : {"passwd", "group"}) {
    const std::string to = fmt::format("etc/{}", file);
    const std::string from = fmt::format("usr/share/base-passwd/{}.master", file);
    if (finishing.has("base-passwd") && root.find(to) == nullptr) {
      if (const auto master = root.read(from)) root.write(to, *master);
    }
  }
  AccountFiles accounts(root);
  if (accounts.empty()) return;  // an image without accounts: nobody to add to
  if (finishing.has("passwd")) {
    accounts.make_shadow();
    for (const char* file : {"etc/subuid", "etc/subgid"}) {
      if (root.find(file) == nullptr) root.write(file, "");
    }
  }
  const Sysusers all = read_sysusers(root);
  SystemAccounts(root, accounts, all).add();
  add_accounts_of_scripts(finishing, accounts);
  accounts.write(root);
}

}  // namespace lithify
