#include "builder/frontend/read_config.h"

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/values.h"

namespace lithify {

namespace {

std::optional<std::string> maybe_text(const YamlNode& config, std::string_view key) {
  const YamlNode* node = config.find(key);
  return node && node->is_scalar() ? std::optional(node->text) : std::nullopt;
}

// `null` clears the list.
std::optional<std::vector<std::string>> maybe_texts(const YamlNode& config,
                                                    std::string_view key) {
  const YamlNode* node = config.find(key);
  return node ? std::optional(texts(node)) : std::nullopt;
}

// `null` removes the entry.
std::map<std::string, std::optional<std::string>> changes_of(const YamlNode& config,
                                                             std::string_view key) {
  std::map<std::string, std::optional<std::string>> changes;
  for (const YamlNode::Entry& entry : entries_of(config, key)) {
    changes[entry.key.text] =
        entry.value.is_scalar() ? std::optional(entry.value.text) : std::nullopt;
  }
  return changes;
}

template <class Parse>
std::optional<std::vector<std::string>> maybe_parsed(const YamlNode& config,
                                                     std::string_view key, Parse parse) {
  auto values = maybe_texts(config, key);
  if (!values) return std::nullopt;
  std::vector<std::string> parsed;
  for (const std::string& value : *values) {
    if (auto one = parse(value)) parsed.push_back(std::move(*one));
  }
  return parsed;
}

// Dockerfiles and compose files say first how the rest is run.
void refuse_keyword(const YamlNode& test, Problems& problems) {
  static const std::pair<std::string_view, const char*> k_keywords[] = {
      {"CMD", "leave `CMD` out"},
      {"CMD-SHELL", "for a shell: `[/bin/sh, -c, …]`"},
      {"NONE", "for no check: `healthcheck: null`"},
  };
  const auto words = scalars_of(&test);
  for (const auto& [keyword, hint] : k_keywords) {
    if (words.empty() || words[0]->text != keyword) continue;
    oci::Error error =
        offence(code::k_bad_value, words[0]->place(),
                fmt::format("`test` begins with the program, not with `{}`", keyword),
                "no program");
    problems.error(std::move(error.add_hint(hint)));
  }
}

ConfigChange::Health read_health(const YamlNode& node, Problems& problems) {
  ConfigChange::Health health;
  if (!node.is_map()) return health;  // null: none
  if (const YamlNode* test = node.find("test")) refuse_keyword(*test, problems);
  health.test = texts_of(node, "test");
  health.test.insert(health.test.begin(), "CMD");
  health.interval = duration_of(node, "interval");
  health.timeout = duration_of(node, "timeout");
  health.start_period = duration_of(node, "start-period");
  health.retries = number_of(node, "retries", 0);
  return health;
}

}  // namespace

ConfigChange read_config(const YamlNode* config, Problems& problems) {
  ConfigChange change;
  if (!config) return change;
  change.inherit = flag_of(*config, "inherit", true);
  change.entrypoint = maybe_texts(*config, "entrypoint");
  change.cmd = maybe_texts(*config, "cmd");
  change.env = changes_of(*config, "env");
  change.user = maybe_text(*config, "user");
  if (config->find("workdir")) change.workdir = image_path_of(*config, "workdir");
  change.ports = maybe_parsed(*config, "ports", parse_port);
  change.volumes = maybe_parsed(*config, "volumes", parse_image_path);
  change.labels = changes_of(*config, "labels");
  change.stop_signal = maybe_text(*config, "stop-signal");
  if (const YamlNode* health = config->find("healthcheck"))
    change.healthcheck = read_health(*health, problems);
  return change;
}

Layering read_layering(const YamlNode* node) {
  using Strategy = Layering::Strategy;
  using Compression = Layering::Compression;
  Layering layering;
  if (!node) return layering;
  const std::string strategy =
      node->is_scalar() ? node->text : text_of(*node, "strategy");
  layering.strategy = strategy == "single"       ? Strategy::single
                      : strategy == "by-package" ? Strategy::by_package
                                                 : Strategy::by_step;
  layering.budget = number_of(*node, "budget", 0);
  const std::string compression = text_of(*node, "compression");
  layering.compression = compression == "gzip"   ? Compression::gzip
                         : compression == "none" ? Compression::none
                                                 : Compression::zstd;
  return layering;
}

std::vector<Output> read_outputs(const YamlNode* list) {
  static const std::pair<const char*, Output::Kind> k_kinds[] = {
      {"oci", Output::Kind::oci},
      {"oci-archive", Output::Kind::oci_archive},
      {"docker-archive", Output::Kind::docker_archive},
      {"rootfs", Output::Kind::rootfs},
      {"tar", Output::Kind::tar},
      {"sbom", Output::Kind::sbom},
  };
  std::vector<Output> outputs;
  if (!list) return outputs;
  for (const YamlNode& item : list->items) {
    for (const auto& [key, kind] : k_kinds) {
      const YamlNode* path = item.find(key);
      if (path && path->is_scalar()) outputs.push_back({kind, path->text, path->place()});
    }
  }
  return outputs;
}

}  // namespace lithify
