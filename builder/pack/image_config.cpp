#include "builder/pack/image_config.h"

#include <algorithm>

namespace lithify {

namespace {

// What stays when nothing is inherited: what the layers are, not how to start them.
oci::ImageConfig without_settings(oci::ImageConfig config) {
  oci::ImageConfig bare;
  bare.platform = std::move(config.platform);
  bare.created = std::move(config.created);
  bare.os_version = std::move(config.os_version);
  bare.diff_ids = std::move(config.diff_ids);
  bare.history = std::move(config.history);
  return bare;
}

void set_variable(oci::ImageConfig& config, const std::string& name,
                  const std::optional<std::string>& value) {
  const auto found =
      std::find_if(config.env.begin(), config.env.end(),
                   [&name](const auto& variable) { return variable.first == name; });
  if (!value) {
    if (found != config.env.end()) config.env.erase(found);
  } else if (found != config.env.end()) {
    found->second = *value;
  } else {
    config.env.emplace_back(name, *value);
  }
}

void set_label(oci::ImageConfig& config, const std::string& name,
               const std::optional<std::string>& value) {
  if (value) {
    config.labels[name] = *value;
  } else {
    config.labels.erase(name);
  }
}

// An empty list clears: a document without the member says the same in fewer bytes.
void set_command(std::optional<std::vector<std::string>>& member,
                 const std::optional<std::vector<std::string>>& value) {
  if (!value) return;
  member = value->empty() ? std::nullopt : value;
}

void set_healthcheck(oci::ImageConfig& config, const ConfigChange::Health& health) {
  oci::Healthcheck check;
  check.test = health.test.empty() ? std::vector<std::string>{"NONE"} : health.test;
  check.interval = health.interval;
  check.timeout = health.timeout;
  check.start_period = health.start_period;
  check.retries = health.retries;
  config.healthcheck = std::move(check);
}

}  // namespace

void apply(const ConfigChange& change, oci::ImageConfig& config) {
  if (!change.inherit) config = without_settings(std::move(config));
  set_command(config.entrypoint, change.entrypoint);
  set_command(config.cmd, change.cmd);
  for (const auto& [name, value] : change.env)
    set_variable(config, name, value);
  if (change.user) config.user = *change.user;
  if (change.workdir) config.working_dir = *change.workdir;
  if (change.ports) config.exposed_ports = {change.ports->begin(), change.ports->end()};
  if (change.volumes) config.volumes = {change.volumes->begin(), change.volumes->end()};
  for (const auto& [name, value] : change.labels)
    set_label(config, name, value);
  if (change.stop_signal) config.stop_signal = *change.stop_signal;
  if (change.healthcheck) set_healthcheck(config, *change.healthcheck);
}

}  // namespace lithify
