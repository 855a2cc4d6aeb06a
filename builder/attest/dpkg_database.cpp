#include "builder/attest/dpkg_database.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/attest/paragraphs.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_max_database = std::uint64_t{256} << 20;
constexpr std::uint64_t k_max_entry = std::uint64_t{4} << 20;
constexpr std::uint64_t k_max_list = std::uint64_t{32} << 20;
constexpr std::size_t k_max_packages = 100'000;
constexpr std::string_view k_status = "var/lib/dpkg/status";
constexpr std::string_view k_status_d = "var/lib/dpkg/status.d/";
constexpr std::string_view k_info = "var/lib/dpkg/info/";

oci::Error unreadable(std::string_view path, std::string_view why) {
  return oci::Error(oci::Errc::bad_input,
                    fmt::format("/{} of the image cannot be read: {}", path, why));
}

// "want flag state"
bool is_installed(std::string_view status) {
  return status.empty() || status == "installed" || status.ends_with(" installed");
}

// "bash (5.2-1)"
void read_source(std::string_view text, DatabasePackage& package) {
  const std::size_t space = text.find(' ');
  package.source = text.substr(0, space);
  const std::size_t open = text.find('(');
  const std::size_t close = text.find(')');
  if (open != std::string_view::npos && close != std::string_view::npos && close > open)
    package.source_version = text.substr(open + 1, close - open - 1);
}

class Database {
 public:
  Database(const Tree& root, const oci::BlobStore& store) : root_(root), store_(store) {}

  std::vector<DatabasePackage> read() {
    if (root_.find(k_status) != nullptr) read_file(k_status, k_max_database);
    const Tree::Nodes& nodes = root_.nodes();
    for (auto at = nodes.lower_bound(k_status_d);
         at != nodes.end() && at->first.starts_with(k_status_d); ++at) {
      if (!at->first.ends_with(".md5sums") && at->second.type == oci::FileType::regular) {
        read_file(at->first, k_max_entry);
      }
    }
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  void read_file(std::string_view path, std::uint64_t limit) {
    const auto text = read_text(root_, path, limit, store_);
    if (!text) throw unreadable(path, "it is no file, or a larger one than is read");
    const bool whole = read_paragraphs(*text, [&](const Paragraph& paragraph) {
      if (is_installed(paragraph.get("Status"))) add(path, paragraph);
    });
    if (!whole) throw unreadable(path, "it is not written as dpkg writes it");
  }

  void add(std::string_view path, const Paragraph& paragraph) {
    DatabasePackage package;
    package.name = paragraph.first_line("Package");
    package.architecture = paragraph.first_line("Architecture");
    package.version = paragraph.first_line("Version");
    package.maintainer = paragraph.first_line("Maintainer");
    read_source(paragraph.first_line("Source"), package);
    if (package.name.empty() || package.architecture.empty() || package.version.empty())
      throw unreadable(path, "a package has no name, version or architecture");
    if (found_.size() == k_max_packages) throw unreadable(path, "too many packages");
    found_.push_back(std::move(package));
  }

  const Tree& root_;
  const oci::BlobStore& store_;
  std::vector<DatabasePackage> found_;
};

// The lines of the lists, each as the path of a node of the tree.
class Lists {
 public:
  explicit Lists(const Tree& root) : root_(root) {}

  void add(std::string_view line, const std::string& package) {
    while (line.starts_with('/') || line.starts_with("./"))
      line.remove_prefix(line.front() == '/' ? 1 : 2);
    if (line.empty() || line == ".") return;
    const std::string path = real(line);
    const Node* node = root_.find(path);
    // Directories are everybody's.
    if (node != nullptr && !is_directory(*node)) owners_.try_emplace(path, package);
  }

  std::map<std::string, std::string> take() && { return std::move(owners_); }

 private:
  // The last component stands for itself, those above it are followed.
  std::string real(std::string_view path) {
    const std::string_view above = parent_of(path);
    if (above.empty()) return std::string(path);
    auto found = directories_.find(above);
    if (found == directories_.end()) {
      const auto led = root_.resolve(above);
      found = directories_.emplace(above, led.value_or(std::string(above))).first;
    }
    return found->second.empty() ? std::string(name_of(path))
                                 : fmt::format("{}/{}", found->second, name_of(path));
  }

  const Tree& root_;
  std::map<std::string, std::string, std::less<>> directories_;
  std::map<std::string, std::string> owners_;
};

template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::optional<std::string> read_text(const Tree& root, std::string_view path,
                                     std::uint64_t limit, const oci::BlobStore& store) {
  const auto led = root.resolve(path);
  const Node* node = led ? root.find(*led) : nullptr;
  if (node == nullptr || node->type != oci::FileType::regular) return std::nullopt;
  if (!node->content) return "";
  if (size_of(*node->content) > limit) return std::nullopt;
  return oci::read_all(*open_content(*node->content, store), limit, path);
}

std::vector<DatabasePackage> read_database(const Tree& root,
                                           const oci::BlobStore& store) {
  return Database(root, store).read();
}

std::map<std::string, std::string> read_file_lists(const Tree& root,
                                                   const oci::BlobStore& store) {
  Lists lists(root);
  const auto read = [&](std::string_view folder, std::string_view ending,
                        std::size_t skipped) {
    const Tree::Nodes& nodes = root.nodes();
    for (auto at = nodes.lower_bound(folder);
         at != nodes.end() && at->first.starts_with(folder); ++at) {
      if (!at->first.ends_with(ending)) continue;
      const std::string package = at->first.substr(
          folder.size(), at->first.size() - folder.size() - ending.size());
      const auto text = read_text(root, at->first, k_max_list, store);
      each_line(text.value_or(""), [&](std::string_view line) {
        if (line.size() > skipped) lists.add(line.substr(skipped), package);
      });
    }
  };
  read(k_info, ".list", 0);
  constexpr std::size_t k_md5_and_spaces = 34;
  read(k_status_d, ".md5sums", k_md5_and_spaces);
  return std::move(lists).take();
}

}  // namespace lithify
