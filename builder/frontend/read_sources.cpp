#include "builder/frontend/read_sources.h"

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_policy.h"
#include "builder/frontend/values.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

LocalSource read_local(const YamlNode& node) {
  LocalSource local;
  local.path = text_of(node, "local");
  local.include = texts_of(node, "include");
  local.exclude = texts_of(node, "exclude");
  const std::string modes = text_of(node, "modes", "fixed");
  local.modes = modes == "keep"  ? LocalSource::Modes::keep
                : modes == "git" ? LocalSource::Modes::git
                                 : LocalSource::Modes::fixed;
  return local;
}

AptSource read_apt(const YamlNode& apt) {
  AptSource source;
  source.uri = text_of(apt, "uri");
  source.suites = texts_of(apt, "suites");
  source.components = texts_of(apt, "components");
  if (source.components.empty()) source.components = {"main"};
  source.keys = texts_of(apt, "keys");
  return source;
}

std::optional<oci::Digest> sha256_of(const YamlNode& node) {
  return parse_sha256(text_of(node, "sha256"));
}

ArchiveSource read_archive(const YamlNode& node) {
  const std::string subdir =
      parse_source_path(text_of(node, "subdir", ".")).value_or(".");
  return {text_of(node, "archive"), number_of(node, "strip", 0),
          subdir == "." ? "" : subdir, sha256_of(node)};
}

ImageSource read_image(const YamlNode& node, Problems& problems) {
  const auto ref = parse_image_ref(text_of(node, "image"));
  return {ref ? ref->str() : "", text_of(node, "platform") == "build",
          read_verification(node, problems)};
}

void warn_plain_http(const YamlNode& place, const std::string& note, Problems& problems) {
  oci::Error warning =
      offence(code::k_plain_http, place.place(), "this address is not encrypted", "http");
  warning.add_note(note).add_hint("use https where the server offers it");
  problems.warning(std::move(warning));
}

// What the types of single fields do not say.
void check_source(const YamlNode& node, Problems& problems) {
  const YamlNode* archive = node.find("archive");
  if (archive && archive->text.find("://") != std::string::npos) {
    if (const auto why = misfit(Type::url, archive->text))
      problems.error(offence(code::k_bad_value, archive->place(),
                             fmt::format("`archive` cannot be `{}`", archive->text),
                             *why));
  }
  const YamlNode* url = node.find("url");
  for (const YamlNode* address : {url, archive}) {
    if (address && address->text.starts_with("http://") && !node.find("sha256"))
      warn_plain_http(*address,
                      "without `sha256` nothing guards the first download; the lock "
                      "guards every later one",
                      problems);
  }
  const YamlNode* apt = node.find("apt");
  const YamlNode* uri = apt ? apt->find("uri") : nullptr;
  if (uri && uri->text.starts_with("http://"))
    warn_plain_http(*uri,
                    "packages are verified by signature, but others see which they are",
                    problems);
}

}  // namespace

bool names_platform(const YamlNode& node) {
  bool found = false;
  if (node.is_scalar() && !node.multiline)
    each_reference(node.text, [&](std::string_view reference) {
      found = found || reference.starts_with("$(platform.");
    });
  for (const YamlNode& item : node.items)
    found = found || names_platform(item);
  for (const YamlNode::Entry& entry : node.entries)
    found = found || names_platform(entry.value);
  return found;
}

std::string kind_of(const Source& source) {
  switch (source.kind.index()) {
    case 0:
      return "a local source";
    case 1:
      return "a url source";
    case 2:
      return "an archive source";
    case 3:
      return "a layout source";
    case 4:
      return "an image source";
    default:
      return "an apt source";
  }
}

SourceReader::SourceReader(const YamlNode& file, const Scope& scope, Problems& problems)
    : scope_(scope), problems_(problems) {
  for (const YamlNode::Entry& entry : entries_of(file, "sources")) {
    order_.push_back(entry.key.text);
    declared_[entry.key.text] = &entry;
    if (entry.key.text == "scratch")
      problems_.error(offence(code::k_bad_value, entry.key.place(),
                              "a source cannot be called `scratch`",
                              "`from: scratch` means no base"));
    if (entry.value.is_map() && !names_platform(entry.value))
      read(entry, entry.key.text, scope_);
  }
}

const Source& SourceReader::read(const YamlNode::Entry& entry, const std::string& key,
                                 const Scope& scope) {
  const YamlNode node = expand_tree(entry.value, source_shape(), key, scope, problems_);
  Source source;
  source.name = entry.key.text;
  source.place = entry.key.place();
  if (const YamlNode* apt = node.find("apt")) {
    source.kind = read_apt(*apt);
  } else if (node.find("url")) {
    source.kind = UrlSource{text_of(node, "url"), sha256_of(node)};
  } else if (node.find("archive")) {
    source.kind = read_archive(node);
  } else if (node.find("layout")) {
    source.kind = LayoutSource{text_of(node, "layout"), text_of(node, "tag")};
  } else if (node.find("image")) {
    source.kind = read_image(node, problems_);
  } else {
    source.kind = read_local(node);
  }
  check_source(node, problems_);
  return read_.insert_or_assign(key, std::move(source)).first->second;
}

std::optional<SourceReader::Found> SourceReader::use(const YamlNode& name,
                                                     const oci::Platform& platform,
                                                     const Scope& platform_scope) {
  const auto declared = declared_.find(name.text);
  if (declared == declared_.end()) {
    report_unknown(name);
    return std::nullopt;
  }
  note_use(name.text);
  for (const std::string& key : {name.text, name.text + "@" + platform.str()}) {
    const auto known = read_.find(key);
    if (known != read_.end()) return Found{key, &known->second};
  }
  const YamlNode::Entry& entry = *declared->second;
  if (!entry.value.is_map()) return std::nullopt;  // already reported
  const std::string key = name.text + "@" + platform.str();
  Scope scope = platform_scope;
  scope.withhold("image.name", "a source is the same for all images");
  return Found{key, &read(entry, key, scope)};
}

void SourceReader::report_unknown(const YamlNode& name) {
  oci::Error error =
      offence(code::k_unknown_source, name.place(),
              fmt::format("there is no source {}`{}`", stages_.empty() ? "" : "or stage ",
                          name.text),
              fmt::format("not in `sources`{}", stages_.empty() ? "" : " or `stages`"));
  std::vector<std::string> candidates = order_;
  candidates.insert(candidates.end(), stages_.begin(), stages_.end());
  const std::string near = did_you_mean(name.text, candidates);
  if (!near.empty()) {
    error.add_hint(near);
  } else if (candidates.empty()) {
    error.add_hint(fmt::format("add `sources: {{{}: {{local: .}}}}`", name.text));
  } else {
    error.add_hint(fmt::format("the sources {}are `{}`",
                               stages_.empty() ? "" : "and stages ",
                               fmt::join(candidates, "`, `")));
  }
  problems_.error(std::move(error));
}

const YamlNode* SourceReader::declaration(const std::string& name) const {
  const auto declared = declared_.find(name);
  return declared == declared_.end() ? nullptr : &declared->second->key;
}

bool SourceReader::is_for_builder(const std::string& key) const {
  const auto found = read_.find(key);
  if (found == read_.end()) return false;
  const auto* image = std::get_if<ImageSource>(&found->second.kind);
  return image && image->build_platform;
}

std::map<std::string, Source> SourceReader::take() && {
  std::erase_if(read_,
                [this](const auto& item) { return used_.count(item.second.name) == 0; });
  return std::move(read_);
}

void SourceReader::warn_unused() {
  for (const std::string& name : order_) {
    if (used_.count(name) > 0) continue;
    problems_.warning(offence(code::k_unused_source, declared_.at(name)->key.place(),
                              fmt::format("nothing uses source `{}`", name),
                              "never used"));
  }
}

}  // namespace lithify
