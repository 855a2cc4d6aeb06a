#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/glob.h"
#include "builder/test/judge.h"
#include "builder/test/linkage.h"
#include "builder/test/text_rules.h"

namespace lithify {

using oci::FileType;

namespace {

constexpr std::uint64_t k_max_text = 16 << 20;
constexpr std::size_t k_most_named = 5;

std::string kind_of(const Node& node) {
  switch (node.type) {
    case FileType::directory:
    case FileType::opaque:
      return "a directory";
    case FileType::symlink:
      return "a symlink to " + quoted(node.link);
    case FileType::regular:
      return "a file";
    default:
      return "a device or pipe";
  }
}

std::string mode_text(std::uint32_t mode) {
  return fmt::format("0{:03o}", mode & 07777);
}

// One expectation of one file.
class FileJudge {
 public:
  FileJudge(const FileExpectation& file, const Tree& tree, const oci::BlobStore& store,
            std::vector<TestFinding>& findings)
      : file_(file), tree_(tree), store_(store), findings_(findings) {}

  void judge() {
    const Node* node = find(file_.path);
    if (node == nullptr) return add(file_.path, "to be there", "nothing");
    if (!judge_type(*node)) return;
    const bool asks_more = file_.mode || file_.any_of_mode != 0 || file_.uid ||
                           file_.gid || !file_.text.empty() ||
                           file_.elf != FileExpectation::Elf::any;
    if (!asks_more) return;
    if (node->type == FileType::symlink && file_.type == FileExpectation::Type::any) {
      const auto led = tree_.resolve(file_.path.substr(1));
      if (!led) return add(file_.path, "to be there", kind_of(*node) + ", which is not");
      node = tree_.find(*led);
    }
    judge_attributes(*node);
    judge_content(*node);
  }

 private:
  const Node* find(std::string_view path) const {
    path.remove_prefix(1);
    if (path.empty()) {
      static const Node root = implied_directory(k_constant_time);
      const Node* declared = tree_.find("");
      return declared != nullptr ? declared : &root;
    }
    const std::string_view above = parent_of(path);
    if (above.empty()) return tree_.find(path);
    const auto parent = tree_.resolve(above);
    if (!parent) return nullptr;
    return tree_.find((parent->empty() ? "" : *parent + "/") +
                      std::string(name_of(path)));
  }

  bool judge_type(const Node& node) {
    using Type = FileExpectation::Type;
    const bool fits = file_.type == Type::any ||
                      (file_.type == Type::file && node.type == FileType::regular) ||
                      (file_.type == Type::directory && is_directory(node)) ||
                      (file_.type == Type::symlink && node.type == FileType::symlink);
    if (!fits) {
      add(file_.path,
          file_.type == Type::file        ? "a file"
          : file_.type == Type::directory ? "a directory"
                                          : "a symlink",
          kind_of(node));
    }
    return fits;
  }

  void judge_attributes(const Node& node) {
    const oci::Attributes& seen = node.attributes;
    const std::uint32_t mode = seen.mode & 07777;
    if (file_.mode && mode != *file_.mode)
      add("the mode of " + file_.path, mode_text(*file_.mode), mode_text(mode));
    if (file_.any_of_mode != 0 && (mode & file_.any_of_mode) == 0)
      add("the mode of " + file_.path,
          "one with any bit of " + mode_text(file_.any_of_mode), mode_text(mode));
    if (file_.uid && file_.gid) {
      if (seen.uid != *file_.uid || seen.gid != *file_.gid)
        add("the owner of " + file_.path, fmt::format("{}:{}", *file_.uid, *file_.gid),
            fmt::format("{}:{}", seen.uid, seen.gid));
    } else if (file_.uid && seen.uid != *file_.uid) {
      add("the user of " + file_.path, std::to_string(*file_.uid),
          std::to_string(seen.uid));
    } else if (file_.gid && seen.gid != *file_.gid) {
      add("the group of " + file_.path, std::to_string(*file_.gid),
          std::to_string(seen.gid));
    }
  }

  void judge_content(const Node& node) {
    if (!file_.text.empty()) judge_text_of(node);
    if (file_.elf == FileExpectation::Elf::any) return;
    const bool is_static = file_.elf == FileExpectation::Elf::fixed;
    const std::string subject = "the program " + file_.path;
    const std::string expected = is_static ? "linked statically" : "linked dynamically";
    Linkage linkage = Linkage::none;
    if (node.type == FileType::regular && node.content)
      linkage = linkage_of(*open_content(*node.content, store_));
    if (linkage == Linkage::none) {
      const bool is_file = node.type == FileType::regular;
      add(subject, expected, is_file ? "a file that is no ELF program" : kind_of(node));
    } else if ((linkage == Linkage::fixed) != is_static) {
      add(subject, expected, is_static ? "linked dynamically" : "linked statically");
    }
  }

  void judge_text_of(const Node& node) {
    const TestFinding about{file_.place, "the text of " + file_.path, "", ""};
    if (node.type == FileType::symlink) {
      const TestFinding target{file_.place, "where " + file_.path + " leads", "", ""};
      return judge_text(file_.text, {node.link, node.link.size()}, target, findings_);
    }
    if (node.type != FileType::regular)
      return add(about.subject, "a file", kind_of(node));
    const std::uint64_t size = node.content ? size_of(*node.content) : 0;
    std::string text;
    if (node.content) {
      const auto source = open_content(*node.content, store_);
      text = beginning_of(*source);
    }
    judge_text(file_.text, {text, size}, about, findings_);
  }

  static std::string beginning_of(oci::Source& from) {
    std::string text;
    std::vector<std::byte> buffer(64 << 10);
    while (text.size() < k_max_text) {
      const std::size_t got = from.read(buffer);
      if (got == 0) break;
      text.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
    return text;
  }

  void add(std::string subject, std::string expected, std::string found) {
    findings_.push_back(
        {file_.place, std::move(subject), std::move(expected), std::move(found)});
  }

  const FileExpectation& file_;
  const Tree& tree_;
  const oci::BlobStore& store_;
  std::vector<TestFinding>& findings_;
};

// A pattern that matches this path alone.
std::string literal(std::string_view path) {
  std::string glob;
  for (const char c : path) {
    const bool special = c == '*' || c == '?' || c == '[';
    glob += special ? fmt::format("[{}]", c) : std::string(1, c);
  }
  return glob;
}

// The symlinks above what the pattern names are followed, as programs follow them: in an
// image with merged /usr nothing would be found below /bin.
Glob followed(const std::string& pattern, const Tree& tree) {
  const Glob glob(pattern);
  const std::string parent = glob.literal_parent();
  const auto led = tree.resolve(parent);
  if (!led || *led == parent) return glob;
  return Glob(literal(*led) + "/" + glob.literal().substr(parent.size() + 1));
}

void judge_absent(const TestRecipe& test, const std::string& pattern, const Tree& tree,
                  std::vector<TestFinding>& findings) {
  const Glob glob = followed(pattern, tree);
  std::string found;
  std::size_t matches = 0;
  for (const auto& [path, node] : tree.nodes()) {
    if (path.empty() || !glob.matches(path)) continue;
    if (++matches <= k_most_named)
      found += fmt::format("{}/{}", found.empty() ? "" : ", ", path);
  }
  if (matches == 0) return;
  if (matches > k_most_named)
    found += fmt::format(" and {} more", matches - k_most_named);
  findings.push_back({test.place, pattern, "nothing there", printable(found)});
}

std::uint64_t size_of_files(const Tree& tree) {
  std::uint64_t size = 0;
  std::set<std::uint64_t> known;
  for (const auto& [path, node] : tree.nodes()) {
    if (!node.content) continue;
    if (node.file_id != 0 && !known.insert(node.file_id).second) continue;
    size += size_of(*node.content);
  }
  return size;
}

}  // namespace

std::vector<TestFinding> judge_tree(const TestRecipe& test, const Tree& tree,
                                    const oci::BlobStore& store) {
  std::vector<TestFinding> findings;
  for (const FileExpectation& file : test.files)
    FileJudge(file, tree, store, findings).judge();
  for (const std::string& pattern : test.absent)
    judge_absent(test, pattern, tree, findings);
  if (test.max_size) {
    const std::uint64_t size = size_of_files(tree);
    if (size > *test.max_size)
      findings.push_back({test.place, "the size of all files",
                          fmt::format("at most {} bytes", *test.max_size),
                          fmt::format("{} bytes", size)});
  }
  return findings;
}

}  // namespace lithify
