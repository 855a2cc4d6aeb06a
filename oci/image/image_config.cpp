// image_config: OCI image-spec, config.md, and what docker adds to it.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/descriptor_json.h"
#include "oci/image/manifest.h"

namespace oci {

namespace {

using nlohmann::json;

constexpr std::array k_known_document = {"architecture", "os",      "variant",
                                         "os.version",   "created", "author",
                                         "config",       "rootfs",  "history"};
constexpr std::array k_known_config = {"Entrypoint", "Cmd",          "Env",     "User",
                                       "WorkingDir", "ExposedPorts", "Volumes", "Labels",
                                       "StopSignal", "Healthcheck"};

// The members of an object that are not in `known`, as canonical text.
template <class Known>
std::string others(const DocumentNode& node, const Known& known) {
  node.refuse_fractions();
  json rest = node.value();
  for (const char* key : known)
    rest.erase(key);
  return canonical_json(rest);
}

// The known members win over an `other` that somebody filled by hand.
template <class Known>
json parse_others(const std::string& text, const Known& known) {
  json rest = parse_json(text, "other members of an image configuration");
  for (const char* key : known)
    rest.erase(key);
  return rest;
}

// runc takes the last of several values of one name; so do we, at the place of the first.
void parse_env(const DocumentNode& node, ImageConfig& into) {
  std::map<std::string, std::size_t> places;
  for (const DocumentNode& item : node.items()) {
    const std::string text = item.text();
    const std::size_t equals = std::min(text.find('='), text.size());
    const std::string name = text.substr(0, equals);
    const std::string value = equals < text.size() ? text.substr(equals + 1) : "";
    if (name.empty()) item.refuse("NAME=value was expected");
    const auto [place, fresh] = places.emplace(name, into.env.size());
    if (fresh) {
      into.env.emplace_back(name, value);
    } else {
      into.env[place->second].second = value;
    }
  }
}

// {"80/tcp": {}, …}: docker writes sets so.
std::set<std::string> parse_set(const DocumentNode& node) {
  std::set<std::string> names;
  for (const auto& member : node.members())
    names.insert(member.first);
  return names;
}

Healthcheck parse_healthcheck(const DocumentNode& node) {
  Healthcheck check;
  const auto number = [&](const char* key) {
    const auto found = node.find(key);
    return found ? found->number() : 0;
  };
  if (const auto test = node.find("Test")) check.test = test->texts();
  check.interval = number("Interval");
  check.timeout = number("Timeout");
  check.start_period = number("StartPeriod");
  check.start_interval = number("StartInterval");
  const std::int64_t retries = number("Retries");
  if (retries < 0 || retries > INT32_MAX) node.require("Retries").refuse("out of range");
  check.retries = static_cast<int>(retries);
  return check;
}

void parse_runtime(const DocumentNode& node, ImageConfig& into) {
  if (const auto entrypoint = node.find("Entrypoint"))
    into.entrypoint = entrypoint->texts();
  if (const auto cmd = node.find("Cmd")) into.cmd = cmd->texts();
  if (const auto env = node.find("Env")) parse_env(*env, into);
  into.user = node.text_or_empty("User");
  into.working_dir = node.text_or_empty("WorkingDir");
  if (const auto ports = node.find("ExposedPorts"))
    into.exposed_ports = parse_set(*ports);
  if (const auto volumes = node.find("Volumes")) into.volumes = parse_set(*volumes);
  if (const auto labels = node.find("Labels")) into.labels = labels->text_map();
  into.stop_signal = node.text_or_empty("StopSignal");
  if (const auto check = node.find("Healthcheck"))
    into.healthcheck = parse_healthcheck(*check);
  into.other_config = others(node, k_known_config);
}

std::vector<Digest> parse_diff_ids(const DocumentNode& rootfs) {
  const DocumentNode type = rootfs.require("type");
  if (type.text() != "layers") type.refuse("only `layers` is supported");
  std::vector<Digest> diff_ids;
  if (const auto list = rootfs.find("diff_ids")) {
    for (const DocumentNode& item : list->items())
      diff_ids.push_back(parse_digest(item));
  }
  return diff_ids;
}

History parse_history(const DocumentNode& node) {
  const auto empty = node.find("empty_layer");
  return {node.text_or_empty("created"), node.text_or_empty("created_by"),
          node.text_or_empty("comment"), empty ? empty->flag() : false,
          node.text_or_empty("author")};
}

void set_text(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void set_number(json& object, const char* key, std::int64_t number) {
  if (number != 0) object[key] = number;
}

void set_names(json& object, const char* key, const std::set<std::string>& names) {
  for (const std::string& name : names)
    object[key][name] = json::object();
}

json json_of(const Healthcheck& check) {
  json object = json::object();
  if (!check.test.empty()) object["Test"] = check.test;
  set_number(object, "Interval", check.interval);
  set_number(object, "Timeout", check.timeout);
  set_number(object, "StartPeriod", check.start_period);
  set_number(object, "StartInterval", check.start_interval);
  set_number(object, "Retries", check.retries);
  return object;
}

json json_of(const History& history) {
  json object = json::object();
  set_text(object, "created", history.created);
  set_text(object, "created_by", history.created_by);
  set_text(object, "comment", history.comment);
  set_text(object, "author", history.author);
  if (history.empty_layer) object["empty_layer"] = true;
  return object;
}

json runtime_json(const ImageConfig& config) {
  json object = parse_others(config.other_config, k_known_config);
  if (config.entrypoint) object["Entrypoint"] = *config.entrypoint;
  if (config.cmd) object["Cmd"] = *config.cmd;
  for (const auto& [name, value] : config.env)
    object["Env"].push_back(name + "=" + value);
  set_text(object, "User", config.user);
  set_text(object, "WorkingDir", config.working_dir);
  set_names(object, "ExposedPorts", config.exposed_ports);
  set_names(object, "Volumes", config.volumes);
  if (!config.labels.empty()) object["Labels"] = config.labels;
  set_text(object, "StopSignal", config.stop_signal);
  if (config.healthcheck) object["Healthcheck"] = json_of(*config.healthcheck);
  return object;
}

}  // namespace

ImageConfig ImageConfig::parse(std::string_view text, std::string_view what) {
  const json parsed = parse_json(text, what);
  const DocumentNode document(parsed, std::string(what));
  ImageConfig config{parse_platform(document), document.text_or_empty("created"),
                     document.text_or_empty("author"),
                     document.text_or_empty("os.version")};
  if (const auto runtime = document.find("config")) parse_runtime(*runtime, config);
  config.diff_ids = parse_diff_ids(document.require("rootfs"));
  if (const auto history = document.find("history")) {
    for (const DocumentNode& item : history->items())
      config.history.push_back(parse_history(item));
  }
  config.other_document = others(document, k_known_document);
  return config;
}

std::string ImageConfig::str() const {
  json document = parse_others(other_document, k_known_document);
  document["architecture"] = platform.architecture;
  document["os"] = platform.os;
  set_text(document, "variant", platform.variant);
  set_text(document, "os.version", os_version);
  set_text(document, "created", created);
  set_text(document, "author", author);
  document["config"] = runtime_json(*this);
  json ids = json::array();
  for (const Digest& id : diff_ids)
    ids.push_back(id.str());
  document["rootfs"] = {{"type", "layers"}, {"diff_ids", ids}};
  for (const History& step : history)
    document["history"].push_back(json_of(step));
  return canonical_json(document);
}

}  // namespace oci
