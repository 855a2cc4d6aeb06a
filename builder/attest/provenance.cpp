// provenance: slsa.dev/provenance/v1 as it is written. Sorted wherever order says
// nothing.
#include "builder/attest/provenance.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/json.h"
#include "oci/base/reference.h"

#include "builder/attest/provenance_names.h"
#include "builder/attest/redact.h"

namespace lithify {

namespace {

using nlohmann::json;

// Characters that a package URL leaves as they are (purl-spec, "Character encoding").
std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
                       c == '~' || c == ':';
    encoded +=
        plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

json sha256(const oci::Digest& digest) {
  return {{"sha256", digest.hex()}};
}

json dependency_of(const LockedPackage& package) {
  const std::string& path = package.path;
  return {
      {"name", path.substr(path.find_last_of('/') + 1)},
      {"uri", fmt::format("pkg:deb/debian/{}@{}?arch={}", percent_encoded(package.name),
                          percent_encoded(package.version),
                          percent_encoded(package.architecture))},
      {"digest", sha256(package.sha256)},
      {"mediaType", "application/vnd.debian.binary-package"}};
}

json dependency_of(const LockedUrl& url) {
  json dependency = {{"digest", sha256(url.sha256)}};
  const std::string place = without_credentials(url.url);
  // A path says nothing to others but its last component.
  const bool web = place.find("://") != std::string::npos;
  const std::string path = place.substr(0, web ? place.find_first_of("?#") : place.npos);
  dependency["name"] = path.substr(path.find_last_of('/') + 1);
  if (web) dependency["uri"] = place;
  return dependency;
}

json dependency_of(const LockedImage& image) {
  json dependency = {{"digest", sha256(image.manifest)},
                     {"annotations", {{names::k_platform, image.platform.str()}}}};
  if (image.ref.rfind("layout:", 0) == 0) {
    dependency["name"] = image.ref;
    return dependency;
  }
  for (const LockedVerdict& verdict : image.verdicts) {
    dependency["annotations"][names::k_verified_by + verdict.key.hex()] =
        fmt::format("{} {} {}", verdict.type, verdict.form, verdict.subject.str());
  }
  const oci::Reference ref = oci::Reference::parse(image.ref);
  const std::string name = ref.path.substr(ref.path.find_last_of('/') + 1);
  std::string uri =
      fmt::format("pkg:oci/{}@{}?repository_url={}", name,
                  percent_encoded(image.manifest.str()), percent_encoded(ref.name()));
  if (!ref.tag.empty()) uri += "&tag=" + percent_encoded(ref.tag);
  dependency["name"] = image.ref;
  dependency["uri"] = std::move(uri);
  if (image.index) dependency["annotations"][names::k_index] = image.index->str();
  return dependency;
}

json dependency_of(const Provenance::LocalTree& tree) {
  return {{"name", tree.source},
          {"digest", {{names::k_tree, tree.tree.hex()}}},
          {"annotations", {{names::k_role, names::k_local_source}}}};
}

json dependency_of(const Provenance::Checkout& checkout) {
  return {
      {"name", "checkout"},
      {"uri", "git+" + without_credentials(checkout.remote)},
      {"digest", {{"gitCommit", checkout.commit}}},
      {"annotations",
       {{names::k_role, names::k_checkout}, {names::k_directory, checkout.directory}}}};
}

json embedded(const std::string& name, const char* media_type, const char* role,
              const std::string& text) {
  const std::string clean = without_credentials(text);
  json dependency = {{"name", name},
                     {"mediaType", media_type},
                     {"content", oci::base64_encode(clean)},
                     {"digest", sha256(oci::Digest::of(clean))},
                     {"annotations", {{names::k_role, role}}}};
  if (clean != text) dependency["annotations"][names::k_redacted] = "true";
  return dependency;
}

// Secrets may have come into the lock by the URLs that were made of them.
std::string without_secrets(std::string text,
                            const std::vector<Provenance::Given>& given) {
  for (const Provenance::Given& argument : given) {
    if (!argument.secret || argument.value.empty()) continue;
    const std::string instead = fmt::format("$(args.{})", argument.name);
    for (std::size_t at = text.find(argument.value); at != text.npos;
         at = text.find(argument.value, at + instead.size())) {
      text.replace(at, argument.value.size(), instead);
    }
  }
  return text;
}

json dependencies(const Provenance& from) {
  std::vector<json> all;
  const std::string lock_text = without_secrets(from.lock_text, from.arguments);
  const Lock lock = Lock::parse(lock_text, "lithify.lock");
  for (const LockedPackage& package : lock.packages) {
    if (from.used.count(package.sha256) != 0) all.push_back(dependency_of(package));
  }
  for (const LockedUrl& url : lock.urls) {
    if (from.used.count(url.sha256) != 0) all.push_back(dependency_of(url));
  }
  for (const LockedImage& image : lock.images) {
    if (from.used.count(image.manifest) != 0) all.push_back(dependency_of(image));
  }
  for (const Provenance::LocalTree& tree : from.trees)
    all.push_back(dependency_of(tree));
  if (from.checkout) all.push_back(dependency_of(*from.checkout));
  std::sort(all.begin(), all.end(), [](const json& a, const json& b) {
    return std::make_tuple(a.at("name"), a.dump()) <
           std::make_tuple(b.at("name"), b.dump());
  });
  all.erase(std::unique(all.begin(), all.end()), all.end());
  // First what a person looks for.
  all.insert(all.begin(),
             embedded("lithify.lock", names::k_text, names::k_lock, lock_text));
  all.insert(all.begin(), embedded(from.build_file, names::k_yaml, names::k_build_file,
                                   from.build_file_text));
  return all;
}

json external_parameters(const Provenance& from) {
  json parameters = {{"buildFile", from.build_file},
                     {"image", from.image},
                     {"platforms", json::array()},
                     {"arguments", json::object()}};
  for (const oci::Platform& platform : from.platforms)
    parameters["platforms"].push_back(platform.str());
  std::set<std::string> secrets;
  for (const Provenance::Given& argument : from.arguments) {
    if (argument.secret) {
      secrets.insert(argument.name);
    } else {
      parameters["arguments"][argument.name] = without_credentials(argument.value);
    }
  }
  if (!secrets.empty()) parameters["secretArguments"] = secrets;
  return parameters;
}

json internal_parameters(const Provenance& from) {
  json parameters = {{"epoch", from.epoch}, {"project", from.project}};
  if (!from.git.empty()) parameters["git"] = from.git;
  if (from.sandbox) parameters["sandbox"] = *from.sandbox;
  if (!from.emulated.empty()) parameters["emulated"] = from.emulated;
  if (!from.caches.empty()) parameters["caches"] = from.caches;
  return parameters;
}

}  // namespace

std::string Provenance::builder_id() const {
  return fmt::format("{}{}/{}", names::k_builders, mode == Mode::ci ? "ci" : "local",
                     version);
}

std::string Provenance::str() const {
  const json document = {
      {"buildDefinition",
       {{"buildType", k_build_type},
        {"externalParameters", external_parameters(*this)},
        {"internalParameters", internal_parameters(*this)},
        {"resolvedDependencies", dependencies(*this)}}},
      {"runDetails",
       {{"builder", {{"id", builder_id()}, {"version", {{"lithify", version}}}}}}}};
  return oci::canonical_json(document);
}

}  // namespace lithify
