// UnpackedPackage: deb822 for one paragraph, and the lists beside it.
#include "builder/debian/debian_package.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/lines.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;

constexpr std::uint64_t k_max_member = 16 << 20;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Errc::bad_input, what);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same_key(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r") - start + 1);
}

// Policy 5.1: one paragraph. Comments are not allowed in binary control files.
std::vector<std::pair<std::string, std::string>> parse_control(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> fields;
  bool ended = false;
  for (const std::string_view line : lines_of(text)) {
    if (trimmed(line).empty()) {
      ended = ended || !fields.empty();
      continue;
    }
    if (ended) refuse("the control file has more than one paragraph");
    if (line.front() == ' ' || line.front() == '\t') {
      if (fields.empty()) refuse("the control file starts with a continuation line");
      fields.back().second += fmt::format("\n{}", line);
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      refuse("a line of the control file is no field");
    }
    const std::string_view key = line.substr(0, colon);
    for (const auto& [other, value] : fields) {
      if (same_key(other, key)) refuse(fmt::format("the control file has {} twice", key));
    }
    fields.emplace_back(key, trimmed(line.substr(colon + 1)));
  }
  return fields;
}

// The names go into paths of the image.
void check_word(std::string_view what, std::string_view word, std::string_view extra) {
  const auto good = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  };
  if (!word.empty() && word.size() <= 200 &&
      std::all_of(word.begin(), word.end(), good) && word.front() != '.' &&
      word.front() != '-') {
    return;
  }
  refuse(fmt::format("the control file's {} '{}' is malformed", what, word));
}

std::vector<std::string> parse_conffiles(std::string_view text) {
  std::vector<std::string> paths;
  for (const std::string_view line : lines_of(text)) {
    // "remove-on-upgrade /path" is about older versions.
    if (line.starts_with('/')) paths.emplace_back(trimmed(line).substr(1));
  }
  return paths;
}

void check_expected(const UnpackedPackage& package, const std::string& expected) {
  const std::string found =
      fmt::format("{}:{}={}", package.name, package.architecture, package.version);
  if (found == expected) return;
  throw Error(Errc::mismatch,
              fmt::format("the package of {} says it is {}", expected, found));
}

}  // namespace

const std::string* UnpackedPackage::field(std::string_view key) const {
  for (const auto& [name_of_field, value] : fields) {
    if (same_key(name_of_field, key)) return &value;
  }
  return nullptr;
}

const std::string* UnpackedPackage::script(std::string_view kind) const {
  for (const auto& [name_of_script, text] : scripts) {
    if (name_of_script == kind) return &text;
  }
  return nullptr;
}

bool UnpackedPackage::replaces(const UnpackedPackage& other) const {
  const std::string* list = field("Replaces");
  if (list == nullptr) return false;
  std::string_view rest = *list;
  for (;;) {
    const std::size_t end = rest.find(',');
    const std::string_view one = trimmed(rest.substr(0, end));
    if (one.substr(0, one.find_first_of(" \t\n(:")) == other.name) return true;
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + 1);
  }
}

std::string UnpackedPackage::database_name() const {
  const std::string* multi = field("Multi-Arch");
  return multi != nullptr && *multi == "same" ? fmt::format("{}:{}", name, architecture)
                                              : name;
}

std::optional<std::string> read_member(const Tree& tree, std::string_view path,
                                       const oci::BlobStore& store) {
  const Node* node = tree.find(path);
  if (node == nullptr || node->type != oci::FileType::regular) return std::nullopt;
  if (!node->content) return std::string();
  return oci::read_all(*open_content(*node->content, store), k_max_member, path);
}

UnpackedPackage read_control(std::string_view control, const std::string& expected) {
  UnpackedPackage package;
  package.fields = parse_control(control);
  const auto value = [&](std::string_view key) {
    const std::string* found = package.field(key);
    if (found == nullptr) refuse(fmt::format("the control file has no {}", key));
    return *found;
  };
  package.name = value("Package");
  package.architecture = value("Architecture");
  package.version = value("Version");
  check_word("Package", package.name, "+-.");
  check_word("Architecture", package.architecture, "-");
  check_expected(package, expected);
  return package;
}

UnpackedPackage read_package(const Tree& tree, const std::string& expected,
                             const oci::BlobStore& store) {
  return oci::during(
      [&] { return "reading the control files of " + expected; },
      [&] {
        const auto control = read_member(tree, "control/control", store);
        if (!control) refuse("the package has no control file");
        UnpackedPackage package = read_control(*control, expected);
        package.tree = tree;
        if (const auto list = read_member(tree, "control/conffiles", store)) {
          package.conffiles = parse_conffiles(*list);
        }
        for (const char* kind : {"config", "postinst", "postrm", "preinst", "prerm"}) {
          if (auto text = read_member(tree, fmt::format("control/{}", kind), store)) {
            package.scripts.emplace_back(kind, std::move(*text));
          }
        }
        return package;
      });
}

}  // namespace lithify
