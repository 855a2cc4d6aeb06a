#include "builder/command/normalise.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/command/settle_formats.h"
#include "builder/debian/lines.h"
#include "builder/plan/glob.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::uint64_t k_max_text = 16 << 20;
constexpr std::size_t k_key_start = 16384;  // a certificate may stand before the key

// What goes, whole: what the step made of it is as if it had not been.
struct Dropped {
  const char* name;
  const char* glob;
};
constexpr std::array k_dropped = {
    Dropped{"backups", "etc/passwd-"},
    Dropped{"backups", "etc/group-"},
    Dropped{"backups", "etc/shadow-"},
    Dropped{"backups", "etc/gshadow-"},
    Dropped{"backups", "etc/subuid-"},
    Dropped{"backups", "etc/subgid-"},
    Dropped{"backups", "var/lib/dpkg/*-old"},
    Dropped{"backups", "var/cache/debconf/*-old"},
    Dropped{"caches", "var/cache/apt/*.bin"},
    Dropped{"caches", "var/cache/man/**"},
    Dropped{"ldconfig-cache", "var/cache/ldconfig/aux-cache"},
    Dropped{"logs", "var/log/dpkg.log"},
    Dropped{"logs", "var/log/alternatives.log"},
    Dropped{"logs", "var/log/bootstrap.log"},
    Dropped{"logs", "var/log/fontconfig.log"},
    Dropped{"logs", "var/log/apt/*"},
    Dropped{"machine-id", "var/lib/dbus/machine-id"},
    Dropped{"network-files", "etc/resolv.conf"},
    Dropped{"network-files", "etc/hosts"},
    Dropped{"network-files", "etc/hostname"},
    Dropped{"python-records", "**/*.dist-info/uv_cache.json"},
    Dropped{"temporary", "tmp/**"},
    Dropped{"temporary", "var/tmp/**"},
    Dropped{"temporary", "run/**"},
};

// /var/lock leads there on every Debian system (policy 9.1.4).
constexpr const char* k_stays = "run/lock";

// What maintainer scripts make unasked, each time under another identity of its own; the
// program that made it makes it again where it is wanted.
constexpr std::array k_clusters = {
    Dropped{"database-clusters", "var/lib/postgresql/*/*"},
    Dropped{"database-clusters", "etc/postgresql/*/*"},
    Dropped{"database-clusters", "var/log/postgresql/*"},
    Dropped{"database-clusters", "var/lib/mysql/*"},
};

// Elsewhere keys are mostly examples and what tests of libraries read.
constexpr std::array k_key_places = {"etc/**", "root/**", "var/lib/**", "home/*/.ssh/**",
                                     "**/ssh_host_*_key"};

class Normaliser {
 public:
  Normaliser(Tree change, const NormaliseRequest& request, oci::BlobStore& store)
      : nodes_(std::move(change).take_nodes()), request_(request), store_(store) {}

  Normalised run() {
    for (const Dropped& rule : k_dropped)
      drop(rule);
    if (request_.maintainer_scripts) {
      for (const Dropped& rule : k_clusters)
        drop_with_contents(rule);
    }
    if (wanted("font-caches")) settle_font_caches();
    if (wanted("java-keystores")) settle_keystores();
    if (wanted("machine-id")) empty_machine_id();
    if (wanted("python-records")) forget_in_records();
    if (wanted("shadow-days")) settle_shadow();
    if (wanted("pycache")) settle_bytecode();
    if (wanted("private-keys")) refuse_keys();
    write_texts();
    remove_bare_parents();
    return {Tree(std::move(nodes_)), std::move(notes_)};
  }

 private:
  bool wanted(std::string_view name) const {
    return std::find(request_.off.begin(), request_.off.end(), name) ==
           request_.off.end();
  }

  void drop(const Dropped& rule) {
    if (!wanted(rule.name)) return;
    const Glob glob(rule.glob);
    for (auto at = nodes_.begin(); at != nodes_.end();) {
      const bool goes = was_made(at->second) && !at->second.implied &&
                        at->first != k_stays && glob.matches(at->first);
      if (goes) note(rule.name, at->first, "left out");
      at = goes ? nodes_.erase(at) : std::next(at);
    }
  }

  // What the step removed stays removed.
  static bool was_made(const Node& node) {
    return node.type != FileType::whiteout && node.type != FileType::opaque;
  }

  void drop_with_contents(const Dropped& rule) {
    if (!wanted(rule.name)) return;
    const Glob glob(rule.glob);
    for (auto at = nodes_.begin(); at != nodes_.end();) {
      const std::string path = at->first;
      if (!was_made(at->second) || !glob.matches(path)) {
        ++at;
        continue;
      }
      note(rule.name, path, "left out");
      nodes_.erase(nodes_.lower_bound(path + '/'), nodes_.lower_bound(path + '0'));
      nodes_.erase(path);
      at = nodes_.upper_bound(path);
    }
  }

  void note(std::string_view name, std::string_view path, std::string_view what) {
    notes_.push_back(fmt::format("{}: /{} {}", name, path, what));
  }

  // A regular file's content that this step made.
  std::optional<std::string> read(const Node& node) const {
    if (node.type != FileType::regular) return std::nullopt;
    if (!node.content) return "";
    if (size_of(*node.content) > k_max_text) return std::nullopt;
    const auto from = open_content(*node.content, store_);
    return oci::read_all(*from, k_max_text, "file");
  }

  std::optional<std::string> read(const Tree& tree, std::string_view path) const {
    const Node* node = tree.find(path);
    return node == nullptr ? std::nullopt : read(*node);
  }

  void rewrite(const std::string& path, std::string text, std::string_view name,
               std::string_view what) {
    note(name, path, what);
    texts_.insert_or_assign(path, std::move(text));
  }

  void empty_machine_id() {
    const auto found = nodes_.find("etc/machine-id");
    if (found == nodes_.end() || found->second.type != FileType::regular) return;
    if (!found->second.content) return;
    found->second.content.reset();
    found->second.file_id = 0;
    note("machine-id", found->first, "made empty");
  }

  void settle_keystores() {
    const Glob store("**/cacerts");
    for (const auto& [path, node] : nodes_) {
      if (!store.matches(path)) continue;
      const auto bytes = read(node);
      const auto settled =
          bytes ? settled_keystore(*bytes, request_.mtime) : std::nullopt;
      if (settled && *settled != *bytes)
        rewrite(path, *settled, "java-keystores", "lost the time of each certificate");
    }
  }

  void settle_font_caches() {
    const Glob cache("var/cache/fontconfig/*.cache-*");
    for (const auto& [path, node] : nodes_) {
      if (!cache.matches(path)) continue;
      const auto bytes = read(node);
      const std::string directory = bytes ? fontconfig_directory(*bytes) : "";
      if (!directory.starts_with('/')) continue;
      const std::string settled =
          settled_fontconfig_cache(*bytes, time_of_directory(directory.substr(1)));
      if (settled != *bytes)
        rewrite(path, settled, "font-caches", "got its directory's time");
    }
  }

  std::int64_t time_of_directory(const std::string& path) const {
    const auto made = nodes_.find(path);
    if (made != nodes_.end() && !made->second.implied)
      return made->second.attributes.mtime;
    const auto place = request_.before.resolve(path);
    const Node* node = place ? request_.before.find(*place) : nullptr;
    return node == nullptr ? request_.mtime : node->attributes.mtime;
  }

  void forget_in_records() {
    const Glob record("**/*.dist-info/RECORD");
    for (const auto& [path, node] : nodes_) {
      if (!record.matches(path)) continue;
      const auto text = read(node);
      if (!text) continue;
      std::string kept;
      for (const std::string_view line : lines_of(*text)) {
        if (line.find(".dist-info/uv_cache.json,") == std::string_view::npos)
          kept.append(line).append("\n");
      }
      if (kept != *text && kept.size() < text->size())
        rewrite(path, kept, "python-records", "no longer names uv_cache.json");
    }
  }

  // shadow(5): the third field counts the days to the last change.
  void settle_shadow() {
    const auto found = nodes_.find("etc/shadow");
    if (found == nodes_.end()) return;
    const auto text = read(found->second);
    if (!text) return;
    const auto old = read(request_.before, "etc/shadow").value_or("");
    std::map<std::string, std::string, std::less<>> days;
    for (const std::string_view line : lines_of(old)) {
      const auto [user, day] = user_and_day(line);
      days.emplace(user, day);
    }
    std::string settled;
    for (const std::string_view line : lines_of(*text))
      settled += with_day(line, days) + "\n";
    if (settled != *text)
      rewrite(found->first, settled, "shadow-days", "lost the day of the last change");
  }

  static std::pair<std::string, std::string> user_and_day(std::string_view line) {
    const auto password = line.find(':');
    if (password == std::string_view::npos) return {std::string(line), ""};
    const auto day = line.find(':', password + 1);
    if (day == std::string_view::npos) return {std::string(line), ""};
    const auto end = std::min(line.find(':', day + 1), line.size());
    return {std::string(line.substr(0, password)),
            std::string(line.substr(day + 1, end - day - 1))};
  }

  static std::string with_day(
      std::string_view line,
      const std::map<std::string, std::string, std::less<>>& days) {
    const auto password = line.find(':');
    const auto day = password == std::string_view::npos ? std::string_view::npos
                                                        : line.find(':', password + 1);
    if (day == std::string_view::npos) return std::string(line);
    const auto end = std::min(line.find(':', day + 1), line.size());
    const auto old = days.find(line.substr(0, password));
    return std::string(line.substr(0, day + 1)) + (old == days.end() ? "" : old->second) +
           std::string(line.substr(end));
  }

  // PEP 552: magic, flags, then, if the flags are 0, time and size of the source.
  void settle_bytecode() {
    const Glob compiled("**/__pycache__/*.pyc");
    for (const auto& [path, node] : nodes_) {
      if (!compiled.matches(path)) continue;
      const Node* source = source_of(path);
      if (source == nullptr) continue;
      auto bytes = read(node);
      if (!bytes || bytes->size() < 16 || bytes->compare(4, 4, std::string(4, '\0')) != 0)
        continue;
      const auto time = static_cast<std::uint32_t>(source->attributes.mtime);
      std::string field(4, '\0');
      for (std::size_t i = 0; i < 4; ++i)
        field[i] = static_cast<char>(time >> (8 * i));
      if (bytes->compare(8, 4, field) == 0) continue;
      bytes->replace(8, 4, field);
      rewrite(path, std::move(*bytes), "pycache", "got its source's time");
    }
  }

  // "a/__pycache__/b.cpython-311.pyc", or "….opt-1.pyc", is made of "a/b.py" (PEP 3147,
  // PEP 488); the module's name may have dots of its own.
  const Node* source_of(const std::string& compiled) const {
    std::string_view name = name_of(compiled);
    const auto cut = [&name] { name = name.substr(0, name.rfind('.')); };
    cut();
    const std::size_t last = name.rfind('.');
    if (last != name.npos && name.substr(last).starts_with(".opt-")) cut();
    cut();
    const std::string_view directory = parent_of(parent_of(compiled));
    const std::string source =
        fmt::format("{}{}{}.py", directory, directory.empty() ? "" : "/", name);
    const auto made = nodes_.find(source);
    if (made != nodes_.end())
      return made->second.type == FileType::regular ? &made->second : nullptr;
    const Node* node = request_.before.find(source);
    return node != nullptr && node->type == FileType::regular ? node : nullptr;
  }

  void refuse_keys() {
    const std::vector<Glob> places(k_key_places.begin(), k_key_places.end());
    std::vector<std::string> keys;
    for (const auto& [path, node] : nodes_) {
      const bool place = std::any_of(places.begin(), places.end(),
                                     [&](const Glob& one) { return one.matches(path); });
      if (!place || !is_private_key(path, node)) continue;
      if (!request_.maintainer_scripts) refuse_key(path);
      keys.push_back(path);
    }
    for (const std::string& key : keys) {
      leave_out("private-keys", key);
      drop_public_half(key);
    }
  }

  // ssh's is beside its key; that of ssl-cert's has a link named after its subject.
  void drop_public_half(const std::string& key) {
    leave_out("private-keys", key + ".pub");
    const std::string_view name = name_of(key);
    if (parent_of(key) != "etc/ssl/private" || !name.ends_with(".key")) return;
    const std::string certificate =
        fmt::format("{}.pem", name.substr(0, name.size() - 4));
    if (!leave_out("private-keys", "etc/ssl/certs/" + certificate)) return;
    std::vector<std::string> links;
    for (const auto& [path, node] : nodes_) {
      if (parent_of(path) == "etc/ssl/certs" && node.link == certificate)
        links.push_back(path);
    }
    for (const std::string& link : links)
      leave_out("private-keys", link);
  }

  bool leave_out(std::string_view name, const std::string& path) {
    const auto at = nodes_.find(path);
    if (at == nodes_.end() || at->second.type == FileType::whiteout) return false;
    note(name, path, "left out");
    nodes_.erase(at);
    return true;
  }

  [[noreturn]] static void refuse_key(const std::string& path) {
    throw Error(Errc::failed, fmt::format("the step made the private key /{}", path))
        .add_note(
            "everyone who has the image would have the key, and if the step makes it, "
            "every build has another one")
        .add_hint(
            "remove it at the end of the step and make it when a container "
            "starts, or write `normalise: {private-keys: false}`");
  }

  bool is_private_key(const std::string& path, const Node& node) const {
    if (node.type != FileType::regular || !node.content) return false;
    const Node* before = request_.before.find(path);
    if (before != nullptr && before->content == node.content) return false;
    const auto from = open_content(*node.content, store_);
    std::string start(k_key_start, '\0');
    start.resize(from->read(std::as_writable_bytes(std::span(start))));
    return has_key_header(start);
  }

  // "-----BEGIN RSA PRIVATE KEY-----" and its like, at the beginning of a line: scripts
  // speak of them too.
  static bool has_key_header(std::string_view text) {
    for (const std::string_view line : lines_of(text)) {
      if (line.starts_with("-----BEGIN ") &&
          line.find("PRIVATE KEY-----") != std::string_view::npos)
        return true;
    }
    return false;
  }

  // One blob for all of them: each blob costs a sync of the disk.
  void write_texts() {
    if (texts_.empty()) return;
    std::string all;
    for (const auto& [path, text] : texts_)
      all += text;
    const oci::BlobRef blob = oci::put(store_, all);
    const std::set<std::uint64_t> parted = parted_files();
    std::map<std::uint64_t, decltype(Node::content)> of_files;  // by file_id
    std::uint64_t offset = 0;
    for (const auto& [path, text] : texts_) {
      Node& node = nodes_.at(path);
      if (parted.count(node.file_id) != 0) node.file_id = 0;
      node.content.reset();
      if (!text.empty()) node.content = Slice{blob, offset, text.size()};
      offset += text.size();
      if (node.file_id != 0)
        node.content = of_files.emplace(node.file_id, node.content).first->second;
    }
  }

  // Files whose names have no longer all the same content.
  std::set<std::uint64_t> parted_files() const {
    std::map<std::uint64_t, const std::string*> first;  // nullptr: not rewritten
    std::set<std::uint64_t> parted;
    for (const auto& [path, node] : nodes_) {
      if (node.file_id == 0) continue;
      const auto found = texts_.find(path);
      const std::string* const text = found == texts_.end() ? nullptr : &found->second;
      const std::string* const other = first.emplace(node.file_id, text).first->second;
      const bool same =
          text == other || (text != nullptr && other != nullptr && *text == *other);
      if (!same) parted.insert(node.file_id);
    }
    return parted;
  }

  void remove_bare_parents() {
    for (auto at = nodes_.end(); at != nodes_.begin();) {
      --at;
      if (!at->second.implied) continue;
      const auto next = std::next(at);
      const bool bare = next == nodes_.end() || nodes_.lower_bound(at->first + '/') ==
                                                    nodes_.lower_bound(at->first + '0');
      if (bare) at = nodes_.erase(at);
    }
  }

  Tree::Nodes nodes_;
  const NormaliseRequest& request_;
  oci::BlobStore& store_;
  std::vector<std::string> notes_;
  std::map<std::string, std::string> texts_;  // what files will hold, by path
};

}  // namespace

Normalised normalise(Tree change, const NormaliseRequest& request,
                     oci::BlobStore& store) {
  return Normaliser(std::move(change), request, store).run();
}

}  // namespace lithify
