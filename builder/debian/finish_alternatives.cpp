// finish_alternatives: update-alternatives --install, where a script says it in words.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "builder/debian/finishers.h"
#include "builder/debian/lines.h"

namespace lithify {
namespace {

struct Choice {
  int priority = 0;
  std::map<std::string, std::string> slaves;  // name to path
};

struct Group {
  std::string link;
  std::map<std::string, std::string> slave_links;  // name to link
  std::map<std::string, Choice> choices;           // by path
};

using Groups = std::map<std::string, Group>;

// Names become file names below /etc/alternatives.
bool is_name(std::string_view text) {
  return text.find('/') == std::string_view::npos &&
         is_image_path(fmt::format("/{}", text));
}

std::optional<int> parse_priority(std::string_view text) {
  int value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Declaration {
  std::string link;
  std::string name;
  std::string path;
  int priority = 0;
  struct Slave {
    std::string link;
    std::string name;
    std::string path;
  };
  std::vector<Slave> slaves;
};

// Reads the words of one command; nullopt unless all that matters is literal.
std::optional<Declaration> parse(const ShellCommand& command) {
  if (command.name() != "update-alternatives") return std::nullopt;
  std::vector<std::string> words;
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    if (!command.words[i].literal) return std::nullopt;
    words.push_back(command.words[i].text);
  }
  Declaration made;
  bool installs = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--quiet" || words[i] == "--force") continue;
    if (words[i] == "--install" && i + 4 < words.size() && !installs) {
      const auto priority = parse_priority(words[i + 4]);
      if (!priority) return std::nullopt;
      made.link = words[i + 1];
      made.name = words[i + 2];
      made.path = words[i + 3];
      made.priority = *priority;
      installs = true;
      i += 4;
    } else if (words[i] == "--slave" && i + 3 < words.size()) {
      made.slaves.push_back({words[i + 1], words[i + 2], words[i + 3]});
      i += 3;
    } else {
      return std::nullopt;
    }
  }
  const bool good = installs && is_image_path(made.link) && is_image_path(made.path) &&
                    is_name(made.name) &&
                    std::all_of(made.slaves.begin(), made.slaves.end(),
                                [](const Declaration::Slave& slave) {
                                  return is_image_path(slave.link) &&
                                         is_image_path(slave.path) && is_name(slave.name);
                                });
  if (!good) return std::nullopt;
  return made;
}

void add(Groups& groups, const Declaration& made) {
  Group& group = groups[made.name];
  group.link = made.link;
  Choice& choice = group.choices[made.path];
  choice = {made.priority, {}};
  for (const auto& slave : made.slaves) {
    group.slave_links[slave.name] = slave.link;
    choice.slaves[slave.name] = slave.path;
  }
}

// update-alternatives' own file: mode, link, slaves as name and link, an empty line, and
// per choice its path, priority and one path per slave; an empty line ends it.
void read_known(Groups& groups, const std::string& name, std::string_view text) {
  const std::vector<std::string_view> all = lines_of(text);
  const std::vector<std::string> lines(all.begin(), all.end());
  if (lines.size() < 2) return;
  Group& group = groups[name];
  if (group.link.empty()) group.link = lines[1];
  std::vector<std::string> slaves;
  std::size_t i = 2;
  for (; i + 1 < lines.size() && !lines[i].empty(); i += 2) {
    slaves.push_back(lines[i]);
    group.slave_links.emplace(lines[i], lines[i + 1]);
  }
  for (++i; i + 1 < lines.size() && !lines[i].empty();) {
    const auto priority = parse_priority(lines[i + 1]);
    if (!priority) return;
    Choice choice{*priority, {}};
    for (std::size_t k = 0; k < slaves.size() && i + 2 + k < lines.size(); ++k) {
      const std::string& path = lines[i + 2 + k];
      if (!path.empty()) choice.slaves.emplace(slaves[k], path);
    }
    group.choices.emplace(lines[i], std::move(choice));  // the new one stands
    i += 2 + slaves.size();
  }
}

std::string admin_text(const Group& group) {
  std::string text = fmt::format("auto\n{}\n", group.link);
  for (const auto& [name, link] : group.slave_links) {
    text += fmt::format("{}\n{}\n", name, link);
  }
  text += "\n";
  for (const auto& [path, choice] : group.choices) {
    text += fmt::format("{}\n{}\n", path, choice.priority);
    for (const auto& [name, link] : group.slave_links) {
      const auto slave = choice.slaves.find(name);
      text += slave == choice.slaves.end() ? "\n" : slave->second + "\n";
    }
  }
  return text + "\n";
}

void point(InstalledRoot& root, const std::string& name, const std::string& link,
           const std::string& path) {
  root.symlink("etc/alternatives/" + name, path);
  const Node* old = root.find_link(link);
  // A real file stays, as update-alternatives leaves it without --force.
  if (old != nullptr && old->type != oci::FileType::symlink) return;
  root.symlink(link, "/etc/alternatives/" + name);
}

void settle(InstalledRoot& root, const std::string& name, Group& group) {
  for (auto at = group.choices.begin(); at != group.choices.end();) {
    at = root.find(at->first) == nullptr ? group.choices.erase(at) : std::next(at);
  }
  if (group.choices.empty()) return;
  const auto best = std::max_element(
      group.choices.begin(), group.choices.end(),
      [](const auto& a, const auto& b) { return a.second.priority < b.second.priority; });
  point(root, name, group.link, best->first);
  for (const auto& [slave, path] : best->second.slaves) {
    if (root.find(path) != nullptr) point(root, slave, group.slave_links.at(slave), path);
  }
}

}  // namespace

bool imitates_alternative(const ShellCommand& command) {
  return parse(command).has_value();
}

void finish_alternatives(Finishing& finishing) {
  InstalledRoot& root = finishing.root;
  Groups groups;
  for (const UnpackedPackage& package : finishing.packages) {
    const std::string* script = package.script("postinst");
    if (script == nullptr) continue;
    for (const ShellCommand& command : read_commands(*script)) {
      if (command.not_on_install) continue;
      if (const auto made = parse(command)) add(groups, *made);
    }
  }
  for (auto& [name, group] : groups) {
    const std::string admin = "var/lib/dpkg/alternatives/" + name;
    if (const auto known = root.read(admin)) read_known(groups, name, *known);
    settle(root, name, group);
    if (!group.choices.empty() && root.is_directory("var/lib/dpkg/alternatives")) {
      root.rewrite(admin, admin_text(group));
    }
  }
}

}  // namespace lithify
