// debian_database: as dpkg would have written it, always in one order.
#include "builder/debian/debian_database.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "oci/base/error.h"

#include "builder/debian/lines.h"

namespace lithify {
namespace {

using oci::FileType;

constexpr std::string_view k_status = "var/lib/dpkg/status";

// The order of dpkg's fields; others follow in the control file's order.
constexpr std::array<std::string_view, 26> k_order = {
    "Package",         "Essential",      "Protected",   "Status",     "Priority",
    "Section",         "Installed-Size", "Origin",      "Maintainer", "Bugs",
    "Architecture",    "Multi-Arch",     "Source",      "Version",    "Replaces",
    "Provides",        "Depends",        "Pre-Depends", "Recommends", "Suggests",
    "Breaks",          "Conflicts",      "Enhances",    "Conffiles",  "Description",
    "Triggers-Pending"};

std::string md5_of(const Content& content, const oci::BlobStore& store) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) != 1) {
    throw oci::Error(oci::Errc::machine,
                     "OpenSSL offers no MD5, which dpkg's database "
                     "needs for configuration files");
  }
  const auto source = open_content(content, store);
  std::array<std::byte, 16384> buffer{};
  while (const std::size_t n = source->read(buffer)) {
    EVP_DigestUpdate(context.get(), buffer.data(), n);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i)
    hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string conffiles_field(const UnpackedPackage& package, const oci::BlobStore& store) {
  std::string text;
  for (const std::string& path : package.conffiles) {
    const Node* node = package.tree.find("data/" + path);
    if (node == nullptr || !node->content) continue;
    text += fmt::format("\n /{} {}", path, md5_of(*node->content, store));
  }
  return text;
}

bool is_known(std::string_view key) {
  return std::find(k_order.begin(), k_order.end(), key) != k_order.end();
}

void append_field(std::string& text, std::string_view key, std::string_view value) {
  text += fmt::format("{}:{}{}\n", key, value.starts_with('\n') ? "" : " ", value);
}

// Package and architecture to the paragraph; dpkg has them in this order too.
using Paragraphs = std::map<std::pair<std::string, std::string>, std::string>;

std::string value_in(std::string_view paragraph, std::string_view key) {
  const std::string start = fmt::format("\n{}: ", key);
  const std::string text = fmt::format("\n{}", paragraph);
  const std::size_t at = text.find(start);
  if (at == std::string::npos) return {};
  const std::size_t from = at + start.size();
  return text.substr(from, text.find('\n', from) - from);
}

Paragraphs read_paragraphs(std::string_view text) {
  Paragraphs paragraphs;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    std::string_view one = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    while (one.starts_with('\n'))
      one.remove_prefix(1);
    if (one.empty()) continue;
    paragraphs.insert_or_assign({value_in(one, "Package"), value_in(one, "Architecture")},
                                std::string(one));
  }
  return paragraphs;
}

std::string read_status(const InstalledRoot& root) {
  return root.read(k_status, std::uint64_t{256} << 20).value_or("");
}

void write_status(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                  const oci::BlobStore& store) {
  Paragraphs paragraphs = read_paragraphs(read_status(root));
  for (const UnpackedPackage& package : packages) {
    paragraphs.insert_or_assign({package.name, package.architecture},
                                status_paragraph(package, store));
  }
  std::string text;
  for (const auto& [key, paragraph] : paragraphs) {
    text += paragraph;
    if (!text.ends_with('\n')) text += '\n';
    text += '\n';
  }
  root.rewrite(k_status, text);
}

std::string list_of(const UnpackedPackage& package) {
  std::string text = "/.\n";
  const Tree::Nodes& nodes = package.tree.nodes();
  for (auto at = nodes.lower_bound("data/");
       at != nodes.end() && at->first.starts_with("data/"); ++at) {
    if (!at->second.implied) text += fmt::format("{}\n", at->first.substr(4));
  }
  return text;
}

void write_info(InstalledRoot& root, const UnpackedPackage& package) {
  const std::string stem = fmt::format("var/lib/dpkg/info/{}.", package.database_name());
  root.write(stem + "list", list_of(package));
  const Tree::Nodes& nodes = package.tree.nodes();
  for (auto at = nodes.lower_bound("control/");
       at != nodes.end() && at->first.starts_with("control/"); ++at) {
    const std::string member = at->first.substr(8);
    if (member == "control" || at->second.type != FileType::regular) continue;
    Node copy = at->second;
    copy.file_id = 0;
    root.put(stem + member, std::move(copy));
  }
}

// Lines of triggers/File and of the files named after explicit triggers, by path.
using Interests = std::map<std::string, std::set<std::string>>;

void add_interests(Interests& interests, const UnpackedPackage& package,
                   const oci::BlobStore& store) {
  const std::string text =
      read_member(package.tree, "control/triggers", store).value_or("");
  for (const std::string_view line : lines_of(text)) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view verb = line.substr(0, space);
    if (verb != "interest" && verb != "interest-await" && verb != "interest-noawait") {
      continue;
    }
    std::string what(line.substr(space + 1));
    what.erase(what.find_last_not_of(" \t") + 1);
    if (what.empty() || what == "." || what == "..") continue;
    const std::string who = fmt::format("{}{}", package.database_name(),
                                        verb == "interest-noawait" ? "/noawait" : "");
    if (what.starts_with('/')) {
      interests["File"].insert(fmt::format("{} {}", what, who));
    } else if (what.find('/') == std::string::npos) {
      interests[what].insert(who);
    }
  }
}

void write_triggers(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                    const oci::BlobStore& store) {
  Interests interests;
  interests["Unincorp"];
  for (const UnpackedPackage& package : packages)
    add_interests(interests, package, store);
  for (auto& [file, lines] : interests) {
    const std::string path = fmt::format("var/lib/dpkg/triggers/{}", file);
    std::string text = root.read(path).value_or("");
    for (const std::string& line : lines) {
      if (fmt::format("\n{}", text).find(fmt::format("\n{}\n", line)) ==
          std::string::npos) {
        text += line + "\n";
      }
    }
    root.rewrite(path, text);
  }
}

void write_architectures(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                         std::string_view architecture) {
  std::set<std::string> foreign;
  for (const UnpackedPackage& package : packages) {
    if (package.architecture != "all" && package.architecture != architecture) {
      foreign.insert(package.architecture);
    }
  }
  if (foreign.empty()) return;
  std::string text = root.read("var/lib/dpkg/arch").value_or("");
  if (text.empty()) text = fmt::format("{}\n", architecture);
  for (const std::string& name : foreign) {
    if (fmt::format("\n{}", text).find(fmt::format("\n{}\n", name)) ==
        std::string::npos) {
      text += name + "\n";
    }
  }
  root.rewrite("var/lib/dpkg/arch", text);
}

}  // namespace

std::set<InstalledPackage> installed_packages(const InstalledRoot& root) {
  std::set<InstalledPackage> found;
  for (const auto& [key, paragraph] : read_paragraphs(read_status(root))) {
    if (value_in(paragraph, "Status") == "install ok installed")
      found.insert({key.first, key.second, value_in(paragraph, "Version")});
  }
  return found;
}

std::string status_paragraph(const UnpackedPackage& package,
                             const oci::BlobStore& store) {
  const std::string conffiles = conffiles_field(package, store);
  std::string text;
  for (const std::string_view key : k_order) {
    const std::string* value = package.field(key);
    if (key == "Status") {
      append_field(text, key, "install ok installed");
    } else if (key == "Conffiles") {
      if (!conffiles.empty()) append_field(text, key, conffiles);
    } else if (value != nullptr) {
      append_field(text, key, *value);
    }
  }
  for (const auto& [key, value] : package.fields) {
    if (!is_known(key)) append_field(text, key, value);
  }
  return text;
}

void write_database(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                    std::string_view architecture, const oci::BlobStore& store) {
  const bool full =
      root.find(k_status) != nullptr ||
      std::any_of(packages.begin(), packages.end(),
                  [](const UnpackedPackage& package) { return package.name == "dpkg"; });
  if (!full) {
    std::map<std::string_view, int> count;
    for (const UnpackedPackage& package : packages)
      ++count[package.name];
    for (const UnpackedPackage& package : packages) {
      const std::string path =
          fmt::format("var/lib/dpkg/status.d/{}",
                      count[package.name] > 1 ? package.database_name() : package.name);
      root.write(path, status_paragraph(package, store));
      if (const auto sums = read_member(package.tree, "control/md5sums", store)) {
        root.write(path + ".md5sums", *sums);
      }
    }
    return;
  }
  write_status(root, packages, store);
  root.write("var/lib/dpkg/info/format", "1\n");
  for (const UnpackedPackage& package : packages)
    write_info(root, package);
  write_triggers(root, packages, store);
  write_architectures(root, packages, architecture);
}

}  // namespace lithify
