// cyclonedx: https://cyclonedx.org/docs/1.6/json/ and its JSON schema.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "builder/attest/sbom.h"
#include "builder/attest/sbom_text.h"

namespace lithify {

namespace {

using nlohmann::json;

// A name-based UUID (RFC 9562, version 5) of the image's digest as a URL, so that two
// SBOMs of one image are one.
std::string serial_number(const oci::Digest& digest) {
  static constexpr unsigned char k_url_namespace[16] = {
      0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
      0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
  std::string text(reinterpret_cast<const char*>(k_url_namespace), 16);
  text += "https://cyclonedx.org/serial/lithify-sha256-" + digest.hex();
  std::array<std::byte, 20> sha1{};
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(sha1.data()),
             nullptr, EVP_sha1(), nullptr);
  sha1[6] = (sha1[6] & std::byte{0x0f}) | std::byte{0x50};
  sha1[8] = (sha1[8] & std::byte{0x3f}) | std::byte{0x80};
  const std::string hex = hex_of(std::span(sha1).first(16));
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                     hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

json sha256(std::string value) {
  return json::array({{{"alg", "SHA-256"}, {"content", std::move(value)}}});
}

json property(const char* name, const std::string& value) {
  return {{"name", std::string("lithify:") + name}, {"value", json_text(value)}};
}

class CycloneDxWriter {
 public:
  CycloneDxWriter(const Inventory& inventory, const SbomSubject& subject, SbomFiles files,
                  oci::Sink& to)
      : inventory_(inventory),
        subject_(subject),
        with_files_(files == SbomFiles::list),
        owners_(inventory),
        out_(to) {}

  void write() {
    out_.member("bomFormat", "CycloneDX");
    write_components();
    write_dependencies();
    out_.member("metadata", metadata());
    out_.member("serialNumber", serial_number(subject_.digest));
    out_.member("specVersion", "1.6");
    out_.member("version", 1);
    out_.end();
  }

 private:
  json metadata() const {
    json image = {{"type", "container"},
                  {"bom-ref", image_url(subject_)},
                  {"name", json_text(subject_.name)},
                  {"version", subject_.digest.str()},
                  {"purl", image_url(subject_)},
                  {"hashes", sha256(subject_.digest.hex())}};
    json made = {{"timestamp", subject_.created},
                 {"component", std::move(image)},
                 {"tools",
                  {{"components",
                    json::array({{{"type", "application"}, {"name", "lithify"}}})}}}};
    if (!with_files_) {
      made["properties"] = json::array(
          {property("files", fmt::format("{} left out", inventory_.files.size()))});
    }
    return made;
  }

  void write_files(const std::vector<std::uint32_t>& numbers) {
    out_.begin_list("components");
    for (const std::uint32_t number : numbers) {
      const InventoryFile& file = inventory_.files[number];
      out_.item({{"type", "file"},
                 {"name", "/" + json_text(file.path)},
                 {"hashes", sha256(hex_of(file.sha256))}});
    }
    out_.end_list();
  }

  // The files come in among the members of the component, whose first is `bom-ref`.
  void write_component(const json& component, const std::vector<std::uint32_t>& files) {
    if (!with_files_ || files.empty()) return out_.item(component);
    out_.begin_item();
    bool missing = true;
    for (const auto& [name, value] : component.items()) {
      if (name > "components" && std::exchange(missing, false)) write_files(files);
      out_.member(name, value);
    }
    out_.end_item();
  }

  void write_components() {
    out_.begin_list("components");
    if (!inventory_.system.empty()) {
      json system = {{"type", "operating-system"},
                     {"bom-ref", "operating-system"},
                     {"name", inventory_.system}};
      if (!inventory_.system_version.empty())
        system["version"] = inventory_.system_version;
      out_.item(system);
    }
    for (std::size_t i = 0; i < inventory_.parts.size(); ++i) {
      const ImagePart& part = inventory_.parts[i];
      write_component({{"type", part.is_base ? "container" : "data"},
                       {"bom-ref", part_reference(i)},
                       {"name", json_text(part.text)}},
                      owners_.of_part[i]);
    }
    for (std::size_t i = 0; i < inventory_.packages.size(); ++i)
      write_component(package(i), owners_.of_package[i]);
    out_.end_list();
  }

  json package(std::size_t number) const {
    const InventoryPackage& one = inventory_.packages[number];
    const std::string url = package_url(inventory_, one);
    json properties = json::array();
    if (!one.copyright_file.empty())
      properties.push_back(property("copyright-file", "/" + one.copyright_file));
    if (one.locked) properties.push_back(property("package-file", one.locked->path));
    properties.push_back(property("source", one.source));
    properties.push_back(property("source-version", one.source_version));
    properties.push_back(property("step", inventory_.parts[one.part].text));
    json made = {{"type", "library"},
                 {"bom-ref", url},
                 {"name", json_text(one.name)},
                 {"version", json_text(one.version)},
                 {"purl", url},
                 {"properties", std::move(properties)}};
    if (one.locked) made["hashes"] = sha256(one.locked->sha256.hex());
    if (one.licence)
      made["licenses"] = json::array({{{"expression", one.licence->expression}}});
    if (const auto name = one.maintainer.substr(0, one.maintainer.find(" <"));
        !name.empty())
      made["supplier"] = {{"name", json_text(name)}};
    return made;
  }

  std::string part_reference(std::size_t part) const {
    return inventory_.parts[part].is_base ? "base" : fmt::format("step-{}", part);
  }

  // The image stands on its steps, a step on the packages that it installs.
  void write_dependencies() {
    std::vector<json> packages(inventory_.parts.size(), json::array());
    for (const InventoryPackage& one : inventory_.packages)
      packages[one.part].push_back(package_url(inventory_, one));
    json parts = json::array();
    for (std::size_t i = 0; i < inventory_.parts.size(); ++i)
      parts.push_back(part_reference(i));
    out_.begin_list("dependencies");
    out_.item({{"ref", image_url(subject_)}, {"dependsOn", std::move(parts)}});
    for (std::size_t i = 0; i < inventory_.parts.size(); ++i) {
      if (!packages[i].empty())
        out_.item({{"ref", part_reference(i)}, {"dependsOn", std::move(packages[i])}});
    }
    out_.end_list();
  }

  const Inventory& inventory_;
  const SbomSubject& subject_;
  bool with_files_;
  FileOwners owners_;
  ObjectWriter out_;
};

}  // namespace

void write_cyclonedx(const Inventory& inventory, const SbomSubject& subject,
                     SbomFiles files, oci::Sink& to) {
  CycloneDxWriter(inventory, subject, files, to).write();
}

}  // namespace lithify
