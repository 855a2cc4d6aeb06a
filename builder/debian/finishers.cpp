// finishers: the small ones, and the order of all.
#include "builder/debian/finishers.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/lines.h"
#include "builder/tree/tree_path.h"

namespace lithify {
namespace {

void copy_default(InstalledRoot& root, std::string_view from, std::string_view to) {
  if (root.find_link(to) == nullptr) root.copy_file(from, to);
}

void make_directory(InstalledRoot& root, std::string_view path, std::uint32_t mode,
                    Owner owner) {
  if (!root.is_directory(path)) root.directory(path, mode, owner);
}

// /var/run and /var/lock are directories in the package and links in the system.
void make_link(InstalledRoot& root, std::string_view path, std::string_view target) {
  const Node* old = root.find_link(path);
  if (old != nullptr && old->type == oci::FileType::symlink) return;
  if (old != nullptr && !root.below(path).empty()) return;
  root.symlink(path, target);
}

}  // namespace

bool Finishing::has(std::string_view package) const {
  return std::any_of(packages.begin(), packages.end(),
                     [&](const UnpackedPackage& one) { return one.name == package; });
}

bool is_image_path(std::string_view text) {
  try {
    return text.starts_with('/') && !tree_path(text).empty();
  } catch (const oci::Error&) {
    return false;
  }
}

void finish_base_files(Finishing& finishing) {
  if (!finishing.has("base-files")) return;
  InstalledRoot& root = finishing.root;
  if (root.find("etc/dpkg/origins/debian") != nullptr &&
      root.find_link("etc/dpkg/origins/default") == nullptr) {
    root.symlink("etc/dpkg/origins/default", "debian");
  }
  copy_default(root, "usr/share/base-files/dot.profile", "root/.profile");
  copy_default(root, "usr/share/base-files/dot.bashrc", "root/.bashrc");
  copy_default(root, "usr/share/base-files/profile", "etc/profile");
  copy_default(root, "usr/share/base-files/motd", "etc/motd");
  copy_default(root, "usr/share/base-files/info.dir", "usr/share/info/dir");
  for (const char* path : {"mnt", "srv", "opt", "etc/opt", "var/opt", "media"}) {
    make_directory(root, path, 0755, {});
  }
  make_directory(root, "var/mail", 02775, {0, 8});  // root:mail
  make_link(root, "var/spool/mail", "../mail");
  make_directory(root, "run/lock", 01777, {});
  make_link(root, "var/run", "/run");
  make_link(root, "var/lock", "/run/lock");
  for (const char* path : {"", "/bin", "/etc", "/games", "/include", "/lib", "/sbin",
                           "/share", "/share/man", "/src"}) {
    make_directory(root, fmt::format("usr/local{}", path), 0755, {});
  }
  make_link(root, "usr/local/man", "share/man");
}

void finish_name_service(Finishing& finishing) {
  if (!finishing.has("libc-bin")) return;
  copy_default(finishing.root, "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf");
}

void finish_time_zone(Finishing& finishing) {
  if (!finishing.has("tzdata")) return;
  InstalledRoot& root = finishing.root;
  if (root.find_link("etc/localtime") == nullptr) {
    root.symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
  }
  if (root.find_link("etc/timezone") == nullptr) root.write("etc/timezone", "Etc/UTC\n");
}

// What debianutils' update-shells does with its template and the lists that shells ship.
void finish_shells(Finishing& finishing) {
  constexpr std::string_view k_template = "usr/share/debianutils/shells";
  InstalledRoot& root = finishing.root;
  const auto head = root.read(k_template);
  if (!head) return;
  std::set<std::string> shells;
  const auto add_lines = [&](std::string_view text) {
    for (const std::string_view line : lines_of(text)) {
      if (!line.starts_with('/')) continue;
      shells.emplace(line);
      // Where /bin is /usr/bin a shell is known under both names.
      if (line.starts_with("/bin/") && root.find(fmt::format("usr{}", line)) != nullptr) {
        shells.insert(fmt::format("/usr{}", line));
      }
    }
  };
  add_lines(*head);
  for (const std::string& path : root.below("usr/share/debianutils/shells.d")) {
    add_lines(root.read(path).value_or(""));
  }
  std::string text = root.read("etc/shells").value_or(*head);
  const std::vector<std::string_view> known = lines_of(text);
  std::string more;
  std::string state;
  for (const std::string& shell : shells) {
    state += shell + "\n";
    if (std::find(known.begin(), known.end(), shell) == known.end()) more += shell + "\n";
  }
  root.rewrite("etc/shells", text + more);
  root.rewrite("var/lib/shells.state", state);
}

// readline-common's default key bindings.
void finish_readline(Finishing& finishing) {
  if (!finishing.has("readline-common")) return;
  copy_default(finishing.root, "usr/share/readline/inputrc", "etc/inputrc");
}

void run_finishers(Finishing& finishing) {
  finish_base_files(finishing);
  finish_accounts(finishing);
  finish_name_service(finishing);
  finish_shells(finishing);
  finish_readline(finishing);
  finish_time_zone(finishing);
  finish_certificates(finishing);
  finish_libraries(finishing);
  finish_alternatives(finishing);
}

}  // namespace lithify
