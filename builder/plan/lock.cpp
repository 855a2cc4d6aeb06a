#include "builder/plan/lock.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <tuple>

#include <fmt/format.h>

namespace lithify {

namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+~:/@%=*-").find(c) != std::string_view::npos;
}

// Text that YAML reads back as itself without quotes: words of harmless characters with
// single spaces between. No word ends in ':' and none but a first one starts with '-'.
bool needs_no_quotes(std::string_view text) {
  char before = ' ';
  for (const char c : text) {
    const bool word_starts = before == ' ';
    if (c == ' ' && (word_starts || before == ':')) return false;
    if (c != ' ' && !is_plain(c)) return false;
    if (word_starts && std::string_view("-:@%=*~").find(c) != std::string_view::npos)
      return false;
    before = c;
  }
  return before != ' ' && before != ':';
}

std::string scalar(std::string_view text) {
  if (needs_no_quotes(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// Writes "  - key: value" for the first field of an entry and "    key: value" after it.
class EntryWriter {
 public:
  EntryWriter(std::string& out, bool first_of_section) : out_(out) {
    if (!first_of_section) out_ += '\n';
  }
  void field(std::string_view key, std::string_view value) {
    out_ += fmt::format("{}{}: {}\n", lead_, key, scalar(value));
    lead_ = "    ";
  }
  void field(std::string_view key, std::uint64_t value) {
    field(key, std::to_string(value));
  }
  void list(std::string_view key, const std::vector<std::string>& members) {
    out_ += fmt::format("{}{}:\n", lead_, key);
    for (const std::string& member : members)
      out_ += fmt::format("      - {}\n", scalar(member));
  }

 private:
  std::string& out_;
  std::string_view lead_ = "  - ";
};

void write(EntryWriter& entry, const LockedImage& image) {
  entry.field("ref", image.ref);
  if (image.index) entry.field("index", image.index->str());
  entry.field("platform", image.platform.str());
  entry.field("manifest", image.manifest.str());
  entry.field("size", image.size);
  if (!image.asked) return;
  entry.field("verify", image.asked->str());
  std::vector<std::string> verdicts;
  for (const LockedVerdict& one : image.verdicts) {
    verdicts.push_back(one.str());
  }
  entry.list("verified", verdicts);
}

void write(EntryWriter& entry, const LockedIndex& index) {
  entry.field("source", index.source);
  entry.field("suite", index.suite);
  entry.field("release", index.release.str());
  entry.field("signed-by", index.signed_by);
}

void write(EntryWriter& entry, const LockedOutput& output) {
  entry.field("step", output.key);
  entry.field("tree", output.tree.str());
  if (output.asked) entry.field("asked", output.asked->str());
}

void write(EntryWriter& entry, const LockedPackage& package) {
  entry.field("name", package.name);
  entry.field("source", package.source);
  entry.field("arch", package.architecture);
  entry.field("version", package.version);
  entry.field("path", package.path);
  entry.field("size", package.size);
  entry.field("sha256", package.sha256.hex());
}

void write(EntryWriter& entry, const LockedSet& set) {
  entry.field("set", set.key);
  entry.field("request", set.request);
  entry.list("packages", set.packages);
}

void write(EntryWriter& entry, const LockedUrl& url) {
  entry.field("url", url.url);
  entry.field("size", url.size);
  entry.field("sha256", url.sha256.hex());
  if (url.tree) entry.field("tree", url.tree->str());
}

template <class Locked>
void write_section(std::string& out, std::string_view name,
                   const std::vector<Locked>& entries) {
  if (entries.empty()) return;
  out += fmt::format("\n{}:\n", name);
  for (const Locked& locked : entries) {
    EntryWriter entry(out, &locked == &entries.front());
    write(entry, locked);
  }
}

template <class Locked>
void sort_unique(std::vector<Locked>& entries) {
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
}

template <class Locked, class Matches>
const Locked* find_entry(const std::vector<Locked>& entries, Matches matches) {
  const auto found = std::find_if(entries.begin(), entries.end(), matches);
  return found == entries.end() ? nullptr : &*found;
}

std::optional<std::size_t> whole_number(std::string_view text) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::string lock_file_of(const std::string& build_file) {
  return std::filesystem::path(build_file).replace_extension(".lock").string();
}

std::string LockedVerdict::str() const {
  return fmt::format("{} {} {} {}", type, form, key.str(), subject.str());
}

std::string SetKey::str() const {
  return fmt::format("{}/{}/{}", image, number, platform.str());
}

// An image's name may have slashes and numbers, so the key is read from its end: the
// platform has two parts or three.
std::optional<SetKey> SetKey::parse(std::string_view text) {
  std::size_t slash = text.size();
  for (int parts = 0; parts < 4; ++parts) {
    if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
    const std::size_t end = slash;
    slash = text.rfind('/', end - 1);
    if (parts < 2 || slash == std::string_view::npos) continue;
    const auto number = whole_number(text.substr(slash + 1, end - slash - 1));
    const auto platform = oci::Platform::parse(text.substr(end + 1));
    if (number && platform)
      return SetKey{std::string(text.substr(0, slash)), *number, *platform};
  }
  return std::nullopt;
}

void Lock::normalise() {
  for (LockedImage& image : images)
    sort_unique(image.verdicts);
  sort_unique(images);
  sort_unique(indexes);
  sort_unique(outputs);
  sort_unique(packages);
  for (LockedSet& set : sets)
    sort_unique(set.packages);
  sort_unique(sets);
  sort_unique(urls);
}

std::string Lock::str() const {
  Lock sorted = *this;
  sorted.normalise();
  std::string out =
      "# Written by `lithify lock`. Commit this file. Do not edit by hand.\n";
  out += fmt::format("lock: 1\nformat: {}\n", format);
  if (!encoders.empty()) out += "\nencoders:\n";
  for (const auto& [name, identity] : encoders)
    out += fmt::format("  {}: {}\n", name, scalar(identity));
  write_section(out, "images", sorted.images);
  write_section(out, "indexes", sorted.indexes);
  write_section(out, "outputs", sorted.outputs);
  write_section(out, "packages", sorted.packages);
  write_section(out, "sets", sorted.sets);
  write_section(out, "urls", sorted.urls);
  return out;
}

const LockedPackage* Lock::find_package(std::string_view source, std::string_view name,
                                        std::string_view architecture,
                                        std::string_view version) const {
  return find_entry(packages, [&](const LockedPackage& package) {
    return package.name == name && package.version == version &&
           package.architecture == architecture && package.source == source;
  });
}

const LockedSet* Lock::find_set(std::string_view key) const {
  return find_entry(sets, [&](const LockedSet& set) { return set.key == key; });
}

const LockedUrl* Lock::find_url(std::string_view url) const {
  return find_entry(urls, [&](const LockedUrl& locked) { return locked.url == url; });
}

std::string owner_of(const std::string& key) {
  const auto parsed = SetKey::parse(key);
  return parsed ? parsed->image : key;
}

const LockedOutput* Lock::find_output(std::string_view key) const {
  return find_entry(outputs,
                    [&](const LockedOutput& output) { return output.key == key; });
}

void Lock::set_output(LockedOutput output) {
  std::erase_if(outputs, [&](const LockedOutput& old) { return old.key == output.key; });
  outputs.push_back(std::move(output));
  sort_unique(outputs);
}

}  // namespace lithify
