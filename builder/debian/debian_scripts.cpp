// debian_scripts: a table of harmless commands; everything else is worth a word.
#include "builder/debian/debian_scripts.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "builder/debian/finishers.h"
#include "builder/debian/shell_commands.h"

namespace lithify {
namespace {

using Names = std::set<std::string_view>;

// Whole scripts that a finisher stands for, or that on a first installation do nothing
// which an image needs (they repair upgrades, keep caches, or make logs and files that
// container runtimes bring). builder/README.md has the reasons.
const Names k_settled_packages = {
    "adduser",
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "debianutils",
    "dpkg",
    "libc-bin",
    "libc6",
    "libgcrypt20",
    "login",
    "netbase",
    "openssl",
    "passwd",
    "python3",
    "python3-minimal",
    "readline-common",
    "tzdata",
    "usrmerge",
};

bool is_settled(std::string_view package) {
  if (k_settled_packages.contains(package)) return true;
  // python3.11, python3.11-minimal, …: byte code and directories for local modules.
  return package.starts_with("python3.") || package.starts_with("libpython3.");
}

// They decide, compute or print, and change nothing that stays.
const Names k_looking = {
    ".",
    ":",
    "[",
    "[[",
    "awk",
    "basename",
    "break",
    "cat",
    "cd",
    "cmp",
    "command",
    "continue",
    "cut",
    "date",
    "diff",
    "dirname",
    "dpkg",
    "dpkg-query",
    "dpkg-realpath",
    "dpkg-vendor",
    "echo",
    "egrep",
    "exec",
    "exit",
    "export",
    "expr",
    "false",
    "fgrep",
    "find",
    "getent",
    "gettext",
    "grep",
    "head",
    "hash",
    "id",
    "kill",
    "ldd",
    "let",
    "local",
    "ls",
    "md5sum",
    "mktemp",
    "od",
    "paste",
    "pidof",
    "printf",
    "pwd",
    "read",
    "readlink",
    "readonly",
    "realpath",
    "return",
    "rev",
    "sed",
    "seq",
    "set",
    "sha256sum",
    "sha512sum",
    "shift",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tempfile",
    "test",
    "tr",
    "trap",
    "true",
    "type",
    "umask",
    "uname",
    "uniq",
    "unset",
    "wait",
    "wc",
    "which",
    "xargs",
};

// They speak to services, keep caches, ask questions, or take away what an older version
// left behind: nothing to do in an image that is made once.
const Names k_harmless = {
    "add-shell",
    "deb-systemd-helper",
    "deb-systemd-invoke",
    "dpkg-maintscript-helper",
    "dpkg-trigger",
    "fc-cache",
    "gtk-update-icon-cache",
    "init-system-helpers",
    "initctl",
    "install-info",
    "invoke-rc.d",
    "journalctl",
    "ldconfig",
    "mandb",
    "py3clean",
    "py3compile",
    "pypy3compile",
    "pycompile",
    "remove-shell",
    "restorecon",
    "rm",
    "rmdir",
    "runlevel",
    "service",
    "sync",
    "systemctl",
    "systemd-hwdb",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "telinit",
    "ucfr",
    "udevadm",
    "update-ca-certificates",
    "update-desktop-database",
    "update-icon-caches",
    "update-info-dir",
    "update-initramfs",
    "update-menus",
    "update-mime-database",
    "update-rc.d",
    "update-shells",
    "chcon",
    "selinuxenabled",
    "update-passwd",
    "shadowconfig",
};

bool is_debconf(std::string_view name) {
  return name.starts_with("db_");
}

bool changes_despite_its_name(const ShellCommand& command) {
  const auto has = [&](std::string_view option) {
    return std::any_of(command.words.begin(), command.words.end(),
                       [&](const ShellWord& word) { return word.text == option; });
  };
  if (command.name() == "sed") return has("-i");
  if (command.name() == "find") return has("-exec") || has("-execdir");
  return false;
}

bool is_alternatives_housekeeping(const ShellCommand& command) {
  if (command.name() != "update-alternatives") return false;
  return std::none_of(
      command.words.begin(), command.words.end(), [](const ShellWord& word) {
        return word.text == "--install" || word.text == "--set" || !word.literal;
      });
}

bool is_imitated(const ShellCommand& command) {
  return imitates_alternative(command) || imitates_account_command(command) ||
         is_alternatives_housekeeping(command);
}

std::string_view base_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

void note_redirects(std::set<std::string>& notes, const ShellCommand& command) {
  for (const ShellWord& file : command.redirects) {
    if (!file.literal || !file.text.starts_with('/')) continue;
    if (file.text.starts_with("/dev/") || file.text.starts_with("/proc/") ||
        file.text.starts_with("/sys/")) {
      continue;
    }
    notes.insert(fmt::format("> {}", file.text));
  }
}

void note_commands(std::set<std::string>& notes, std::string_view script) {
  const std::vector<ShellCommand> commands = read_commands(script);
  std::set<std::string_view> functions;
  for (const ShellCommand& command : commands)
    functions.insert(command.function);
  for (const ShellCommand& command : commands) {
    if (command.not_on_install) continue;
    note_redirects(notes, command);
    if (command.words.empty()) continue;
    const std::string_view name = base_name(command.name());
    const bool known = k_harmless.contains(name) || is_debconf(name) ||
                       functions.contains(name) ||
                       (k_looking.contains(name) && !changes_despite_its_name(command));
    if (!command.words[0].literal || name.empty() || known || is_imitated(command)) {
      continue;
    }
    notes.insert(std::string(name));
  }
}

}  // namespace

std::vector<ScriptNote> unimitated_scripts(std::span<const UnpackedPackage> packages) {
  std::vector<ScriptNote> all;
  for (const UnpackedPackage& package : packages) {
    if (is_settled(package.name)) continue;
    std::set<std::string> notes;
    for (const char* kind : {"preinst", "postinst"}) {
      if (const std::string* script = package.script(kind)) note_commands(notes, *script);
    }
    if (!notes.empty()) all.push_back({package.name, {notes.begin(), notes.end()}});
  }
  std::sort(all.begin(), all.end(), [](const ScriptNote& a, const ScriptNote& b) {
    return a.package < b.package;
  });
  return all;
}

std::string describe(std::span<const ScriptNote> notes) {
  std::vector<std::string> parts;
  for (const ScriptNote& note : notes) {
    parts.push_back(fmt::format("{} ({})", note.package, fmt::join(note.commands, ", ")));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace lithify
