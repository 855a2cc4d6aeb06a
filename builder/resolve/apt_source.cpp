// apt_source: the build file, the environment, the user, the machine; in that order.
#include "builder/resolve/apt_source.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/resolve/codes.h"
#include "builder/resolve/deb822.h"

namespace lithify {

namespace fs = std::filesystem;

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_config = 1 << 20;
constexpr std::size_t k_max_files = 1000;
constexpr std::string_view k_default_keyring = "debian-archive-keyring";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

void add_new(std::vector<std::string>& list, const std::string& item) {
  if (!contains(list, item)) list.push_back(item);
}

std::vector<std::string> words(std::string_view text) {
  const auto views = split_words(text);
  return {views.begin(), views.end()};
}

bool is_web(std::string_view uri) {
  return uri.substr(0, 7) == "http://" || uri.substr(0, 8) == "https://";
}

std::string without_slashes(std::string_view uri) {
  while (ends_with(uri, "/"))
    uri.remove_suffix(1);
  return std::string(uri);
}

void keep_web(AptEntry& entry) {
  std::vector<std::string> uris;
  for (const std::string& uri : entry.uris) {
    if (is_web(uri)) uris.push_back(without_slashes(uri));
  }
  entry.uris = std::move(uris);
}

std::vector<std::string> key_paths(std::string_view value) {
  std::vector<std::string> paths;
  std::string list(value);
  std::replace(list.begin(), list.end(), ',', ' ');
  for (std::string& word : words(list)) {
    if (word.front() == '/') paths.push_back(std::move(word));
  }
  return paths;
}

// "deb [signed-by=/a arch=amd64] http://host/debian bookworm main"
std::optional<AptEntry> parse_one_line(std::string_view line) {
  line = trim(line.substr(0, line.find('#')));
  if (line.substr(0, 3) != "deb" || line.size() < 4 ||
      (line[3] != ' ' && line[3] != '\t'))
    return std::nullopt;
  line = trim(line.substr(3));
  AptEntry entry;
  if (!line.empty() && line.front() == '[') {
    const std::size_t end = line.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    for (const std::string_view option : split_words(line.substr(1, end - 1))) {
      constexpr std::string_view k_signed_by = "signed-by=";
      if (option.substr(0, k_signed_by.size()) == k_signed_by)
        entry.signed_by = key_paths(option.substr(k_signed_by.size()));
    }
    line.remove_prefix(end + 1);
  }
  std::vector<std::string> fields = words(line);
  if (fields.size() < 3) return std::nullopt;
  entry.uris = {fields[0]};
  entry.suites = {fields[1]};
  entry.components.assign(fields.begin() + 2, fields.end());
  keep_web(entry);
  return entry;
}

std::vector<fs::path> list_files(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator file(directory, error);
  for (; !error && file != fs::directory_iterator(); file.increment(error)) {
    const std::string extension = file->path().extension();
    if (extension == ".list" || extension == ".sources") files.push_back(file->path());
    if (files.size() > k_max_files) break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read_if_there(const fs::path& path) {
  std::error_code error;
  if (path.empty() || !fs::exists(path, error)) return "";
  return oci::read_file(path, k_max_config);
}

std::vector<AptEntry> machine_entries(const fs::path& apt_directory) {
  std::vector<AptEntry> all =
      parse_sources_list(read_if_there(apt_directory / "sources.list"));
  for (const fs::path& file : list_files(apt_directory / "sources.list.d")) {
    const std::string text = read_if_there(file);
    const std::vector<AptEntry> entries = file.extension() == ".list"
                                              ? parse_sources_list(text)
                                              : parse_deb822_sources(text, file);
    all.insert(all.end(), entries.begin(), entries.end());
  }
  return all;
}

// "debian" to /usr/share/keyrings/debian.gpg. A path is itself.
std::string find_keyring(const std::string& key, const AptEnvironment& environment) {
  std::vector<fs::path> candidates;
  if (key.find('/') != std::string::npos) {
    candidates.push_back(key);
  } else {
    for (const std::string& directory : environment.keyring_directories) {
      for (const char* ending : {"", ".gpg", ".asc", ".pgp"})
        candidates.push_back(fs::path(directory) / (key + ending));
    }
  }
  std::error_code error;
  for (const fs::path& path : candidates) {
    if (fs::is_regular_file(path, error)) return fs::absolute(path);
  }
  throw Error(Errc::not_found, fmt::format("the keyring {} is not on this machine", key))
      .add_note("looked for " + candidates.front().string())
      .add_hint(key.rfind(k_default_keyring, 0) == 0
                    ? "apt-get install debian-archive-keyring"
                    : "name a keyring file in `keys:` of the source");
}

class PlaceFinder {
 public:
  PlaceFinder(const AptSource& source, const AptEnvironment& environment)
      : source_(source), environment_(environment) {
    base_ = without_slashes(source.uri);
    std::string origin = "`uri`";
    if (base_.empty()) {
      origin = "LITHIFY_APT_MIRROR";
      base_ = without_slashes(environment.mirror);
      if (base_.empty()) {
        origin = environment.config_file + ": apt-mirror";
        base_ = without_slashes(parse_mirror_setting(
            read_if_there(environment.config_file), environment.config_file));
      }
      machine_ = machine_entries(environment.apt_directory);
    }
    if (!base_.empty() && !is_web(base_)) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is neither http:// nor https://: {}", origin, base_))
          .number(code::k_mirror);
    }
  }

  // Leaves the names of keys in `keyrings`.
  SuitePlace find(const std::string& suite) const {
    SuitePlace place{suite, {}, source_.keys};
    if (!base_.empty()) add_base(place, base_);
    if (base_.empty() || ends_with(suite, "-security")) add_machine(place);
    if (place.bases.empty()) add_sisters(place);
    if (place.bases.empty()) throw no_mirror(suite);
    if (place.keyrings.empty()) place.keyrings.emplace_back(k_default_keyring);
    return place;
  }

 private:
  static void add_base(SuitePlace& place, const std::string& base) {
    if (ends_with(place.suite, "-security") && ends_with(base, "/debian"))
      add_new(place.bases, base + "-security");
    add_new(place.bases, base);
  }

  bool offers(const AptEntry& entry, const std::string& suite) const {
    if (!contains(entry.suites, suite)) return false;
    if (source_.components.empty()) return contains(entry.components, "main");
    return std::any_of(source_.components.begin(), source_.components.end(),
                       [&](const std::string& component) {
                         return contains(entry.components, component);
                       });
  }

  void add_machine(SuitePlace& place) const {
    for (const AptEntry& entry : machine_) {
      if (!offers(entry, place.suite)) continue;
      for (const std::string& uri : entry.uris)
        add_new(place.bases, uri);
      if (!base_.empty() || !source_.keys.empty()) continue;
      for (const std::string& key : entry.signed_by)
        add_new(place.keyrings, key);
    }
  }

  void add_sisters(SuitePlace& place) const {
    for (const AptEntry& entry : machine_) {
      for (const std::string& uri : entry.uris) {
        if (ends_with(uri, "/debian")) add_base(place, uri);
      }
    }
  }

  Error no_mirror(const std::string& suite) const {
    Error error(Errc::not_found,
                fmt::format("no mirror is known for the suite {}", suite));
    error.add_note(fmt::format(
        "neither the source's uri, LITHIFY_APT_MIRROR, {} nor the "
        "apt configuration in {} names one",
        environment_.config_file.empty() ? "the user's config" : environment_.config_file,
        environment_.apt_directory));
    error.number(code::k_mirror)
        .add_hint("write `uri:` in the source, or set LITHIFY_APT_MIRROR");
    return error;
  }

  const AptSource& source_;
  const AptEnvironment& environment_;
  std::string base_;
  std::vector<AptEntry> machine_;
};

}  // namespace

std::vector<AptEntry> parse_sources_list(std::string_view text) {
  std::vector<AptEntry> entries;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (auto entry = parse_one_line(text.substr(0, end)))
      entries.push_back(std::move(*entry));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return entries;
}

std::vector<AptEntry> parse_deb822_sources(std::string_view text,
                                           const std::string& file) {
  std::vector<AptEntry> entries;
  Deb822Reader reader(text, file);
  Stanza stanza;
  while (reader.next(stanza)) {
    const std::string_view enabled = stanza.get("Enabled");
    if (equal_ignoring_case(enabled, "no") || equal_ignoring_case(enabled, "false") ||
        enabled == "0" || !contains(words(stanza.get("Types")), "deb")) {
      continue;
    }
    AptEntry entry;
    entry.uris = words(stanza.get("URIs"));
    entry.suites = words(stanza.get("Suites"));
    entry.components = words(stanza.get("Components"));
    entry.signed_by = key_paths(stanza.get("Signed-By"));
    keep_web(entry);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string parse_mirror_setting(std::string_view text, const std::string& file) {
  std::string mirror;
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const std::string_view content = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty() || content.front() == '#') continue;
    const std::size_t equals = std::min(content.find('='), content.size());
    const std::string_view key = trim(content.substr(0, equals));
    if (key != "apt-mirror" || equals == content.size()) {
      throw Error(Errc::bad_input, fmt::format("the settings have no `{}`",
                                               equals == content.size() ? content : key))
          .at({file, line})
          .add_hint("the only one is apt-mirror = \"http://…\"");
    }
    const std::string_view value = trim(content.substr(equals + 1));
    const std::size_t closing = value.find('"', 1);
    const std::string_view rest =
        closing < value.size() ? trim(value.substr(closing + 1)) : "";
    if (value.empty() || value.front() != '"' || closing == std::string_view::npos ||
        (!rest.empty() && rest.front() != '#') || !mirror.empty()) {
      throw Error(Errc::bad_input, "expected apt-mirror = \"http://…\", once")
          .at({file, line});
    }
    mirror = value.substr(1, closing - 1);
  }
  return mirror;
}

std::vector<SuitePlace> suite_places(const AptSource& source,
                                     const AptEnvironment& environment) {
  const PlaceFinder finder(source, environment);
  std::vector<SuitePlace> places;
  for (const std::string& suite : source.suites) {
    places.push_back(finder.find(suite));
    for (std::string& key : places.back().keyrings)
      key = find_keyring(key, environment);
  }
  return places;
}

std::vector<std::string> mirror_bases(const AptSource& source,
                                      const AptEnvironment& environment) {
  const PlaceFinder finder(source, environment);
  std::vector<std::string> bases;
  for (const std::string& suite : source.suites) {
    for (const std::string& base : finder.find(suite).bases)
      add_new(bases, base);
  }
  return bases;
}

}  // namespace lithify
