// provenance_reader: the predicate as anybody may have written it.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"

#include "builder/attest/provenance.h"
#include "builder/attest/provenance_names.h"

namespace lithify {

namespace {

using nlohmann::json;

constexpr std::size_t k_max_dependencies = 10'000;
constexpr std::size_t k_max_given = 256;
constexpr std::size_t k_max_platforms = 64;
constexpr std::size_t k_max_text = 4096;
constexpr std::int64_t k_last_epoch = 253402300799;  // 9999-12-31

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// A member of the document, with its path for messages.
class Member {
 public:
  Member(const json& value, std::string what, std::string path = "")
      : value_(value), what_(std::move(what)), path_(std::move(path)) {}

  [[noreturn]] void refuse(std::string_view why) const {
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("{}: {}: {}", what_, path_.empty() ? "the document" : path_, why));
  }

  std::optional<Member> find(const char* key) const {
    if (!value_.is_object()) refuse("an object was expected");
    const auto found = value_.find(key);
    if (found == value_.end() || found->is_null()) return std::nullopt;
    return Member(*found, what_, path_.empty() ? key : path_ + "." + key);
  }
  Member require(const char* key) const {
    if (auto found = find(key)) return *found;
    refuse(fmt::format("it has no `{}`", key));
  }

  // One line, not too long.
  std::string text(std::size_t most = k_max_text) const {
    if (!value_.is_string()) refuse("a text was expected");
    std::string text = value_.get<std::string>();
    if (text.size() > most || has_control(text)) refuse("no such text is allowed here");
    return text;
  }
  std::string text_of(const char* key) const {
    const auto found = find(key);
    return found ? found->text() : "";
  }
  std::int64_t number() const {
    if (!value_.is_number_integer()) refuse("a whole number was expected");
    return value_.get<std::int64_t>();
  }
  std::vector<Member> items(std::size_t most) const {
    if (!value_.is_array()) refuse("a list was expected");
    if (value_.size() > most) refuse(fmt::format("more than {} items", most));
    std::vector<Member> all;
    for (std::size_t i = 0; i < value_.size(); ++i)
      all.emplace_back(value_[i], what_, fmt::format("{}[{}]", path_, i));
    return all;
  }
  std::vector<std::pair<std::string, Member>> members(std::size_t most) const {
    if (!value_.is_object()) refuse("an object was expected");
    if (value_.size() > most) refuse(fmt::format("more than {} members", most));
    std::vector<std::pair<std::string, Member>> all;
    for (const auto& [key, value] : value_.items())
      all.emplace_back(key, Member(value, what_, path_ + "." + key));
    return all;
  }
  const json& value() const { return value_; }

 private:
  const json& value_;
  std::string what_;
  std::string path_;
};

// A name that can be one of a file: what is read becomes one.
std::string file_name(const Member& member) {
  const std::string name = member.text(255);
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos)
    member.refuse("it is no name of a file");
  return name;
}

std::string name(const Member& member) {
  std::string text = member.text(255);
  if (text.empty()) member.refuse("a name was expected");
  return text;
}

oci::Digest digest(const Member& dependency, const char* algorithm) {
  const Member value = dependency.require("digest").require(algorithm);
  if (const auto parsed = oci::Digest::parse_hex(value.text())) return *parsed;
  value.refuse("it is no digest");
}

std::string annotation(const Member& dependency, const char* key) {
  const auto annotations = dependency.find("annotations");
  return annotations ? annotations->text_of(key) : "";
}

std::string content(const Member& dependency, Provenance& into) {
  const Member member = dependency.require("content");
  if (!member.value().is_string()) member.refuse("a text was expected");
  auto text = oci::base64_decode(member.value().get_ref<const std::string&>());
  if (!text) member.refuse("it is not base64");
  if (oci::Digest::of(*text) != digest(dependency, "sha256")) {
    throw oci::Error(oci::Errc::mismatch, "the embedded " + dependency.text_of("name") +
                                              " is not what its digest says");
  }
  if (!annotation(dependency, names::k_redacted).empty()) into.redacted = true;
  return std::move(*text);
}

Provenance::Checkout read_checkout(const Member& dependency) {
  const Member uri = dependency.require("uri");
  std::string remote = uri.text();
  if (remote.rfind("git+", 0) != 0) uri.refuse("it is no address of git's");
  remote.erase(0, 4);
  const Member member = dependency.require("digest").require("gitCommit");
  const std::string commit = member.text();
  const bool hex = commit.find_first_not_of("0123456789abcdef") == commit.npos;
  if (!hex || (commit.size() != 40 && commit.size() != 64))
    member.refuse("it is no commit");
  std::string directory = annotation(dependency, names::k_directory);
  // Where the sources are looked for: below the checkout and nowhere else.
  const std::string framed = "/" + directory + "/";
  const bool leads_out = framed.find("/../") != framed.npos ||
                         framed.find("/./") != framed.npos ||
                         (!directory.empty() && framed.find("//") != framed.npos);
  if (leads_out) dependency.refuse("its directory leads somewhere else");
  return {std::move(remote), commit, std::move(directory)};
}

void read_dependencies(const Member& list, Provenance& into) {
  bool build_file = false;
  bool lock = false;
  for (const Member& dependency : list.items(k_max_dependencies)) {
    const std::string role = annotation(dependency, names::k_role);
    if (role == names::k_build_file) {
      if (build_file) dependency.refuse("a second build file");
      build_file = true;
      into.build_file_text = content(dependency, into);
    } else if (role == names::k_lock) {
      if (lock) dependency.refuse("a second lock");
      lock = true;
      into.lock_text = content(dependency, into);
    } else if (role == names::k_local_source) {
      into.trees.push_back(
          {name(dependency.require("name")), digest(dependency, names::k_tree)});
    } else if (role == names::k_checkout) {
      if (into.checkout) dependency.refuse("a second checkout");
      into.checkout = read_checkout(dependency);
    }
  }
  if (!build_file || !lock) list.refuse("build file or lock are not in it");
}

void read_external(const Member& parameters, Provenance& into) {
  into.build_file = file_name(parameters.require("buildFile"));
  into.image = name(parameters.require("image"));
  for (const Member& item : parameters.require("platforms").items(k_max_platforms)) {
    const auto platform = oci::Platform::parse(item.text());
    if (!platform) item.refuse("it is no platform");
    into.platforms.push_back(*platform);
  }
  if (into.platforms.empty()) parameters.refuse("an image without a platform");
  for (const auto& [key, value] : parameters.require("arguments").members(k_max_given))
    into.arguments.push_back({key, value.text()});
  if (const auto secrets = parameters.find("secretArguments")) {
    for (const Member& item : secrets->items(k_max_given))
      into.arguments.push_back({name(item), "", true});
  }
  // Whoever does not know a parameter cannot say what it did (SLSA, "Verifying").
  static constexpr const char* k_known[] = {"buildFile", "image", "platforms",
                                            "arguments", "secretArguments"};
  for (const auto& [key, value] : parameters.members(k_max_given)) {
    const auto same = [&key = key](const char* known) { return key == known; };
    if (std::none_of(std::begin(k_known), std::end(k_known), same))
      value.refuse("this parameter is not known");
  }
}

void read_internal(const Member& parameters, Provenance& into) {
  const Member epoch = parameters.require("epoch");
  into.epoch = epoch.number();
  if (into.epoch < 0 || into.epoch > k_last_epoch) epoch.refuse("no image has this time");
  into.project = name(parameters.require("project"));
  if (const auto git = parameters.find("git")) {
    for (const auto& [key, value] : git->members(k_max_given))
      into.git[key] = value.text();
  }
  if (const auto sandbox = parameters.find("sandbox")) into.sandbox = sandbox->text();
  if (const auto emulated = parameters.find("emulated")) {
    for (const Member& platform : emulated->items(k_max_given))
      into.emulated.insert(platform.text());
  }
  if (const auto caches = parameters.find("caches")) {
    for (const Member& cache : caches->items(k_max_given))
      into.caches.insert(cache.text());
  }
}

void read_builder(const Member& details, Provenance& into) {
  const Member builder = details.require("builder");
  const Member id = builder.require("id");
  const std::string text = id.text();
  const std::string stem = names::k_builders;
  if (text.rfind(stem + "ci/", 0) == 0) {
    into.mode = Provenance::Mode::ci;
  } else if (text.rfind(stem + "local/", 0) != 0) {
    id.refuse("no builder of this build type is called so");
  }
  if (const auto version = builder.find("version"))
    into.version = version->text_of("lithify");
}

}  // namespace

Provenance Provenance::parse(std::string_view predicate, std::string_view what) {
  const json document = oci::parse_json(predicate, what, k_max_size);
  const Member top(document, std::string(what));
  const Member definition = top.require("buildDefinition");
  const Member type = definition.require("buildType");
  if (type.text() != k_build_type) {
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("{} is of a build that was not lithify's: {}", what, type.text()));
  }
  Provenance read;
  read_external(definition.require("externalParameters"), read);
  read_internal(definition.require("internalParameters"), read);
  read_dependencies(definition.require("resolvedDependencies"), read);
  read_builder(top.require("runDetails"), read);
  return read;
}

}  // namespace lithify
