#include "builder/frontend/lithify_file.h"

#include <fmt/format.h>

#include "builder/frontend/check_shape.h"
#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/interpolate.h"
#include "builder/frontend/lint.h"
#include "builder/frontend/read_args.h"
#include "builder/frontend/read_images.h"
#include "builder/frontend/read_sources.h"
#include "builder/frontend/values.h"

namespace lithify {

namespace {

// A name made of the last component of a path.
std::string project_of(const std::string& directory) {
  std::string path = directory;
  while (path.ends_with('/'))
    path.pop_back();
  std::string name;
  for (char c : path.substr(path.rfind('/') + 1)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (word) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  name.resize(std::min<std::size_t>(name.size(), 128));
  while (name.ends_with('-'))
    name.pop_back();
  return name.empty() ? "image" : name;
}

// A file for another version is not held against this version's table.
bool check_version(const YamlNode& file, Problems& problems) {
  if (!file.is_map()) {
    oci::Error error = offence(
        code::k_wrong_type, file.place(),
        file.is_null() ? "the build file is empty" : "a build file is a map of fields");
    error.add_hint("start with `lithify: 1`");
    problems.error(std::move(error));
    return false;
  }
  const YamlNode* version = file.find("lithify");
  const auto number = version ? parse_integer(version->text) : std::nullopt;
  if (!number || *number <= 1) return true;  // the table says the rest
  oci::Error error =
      offence(code::k_version, version->place(),
              fmt::format("`lithify: {}` needs a newer lithify", version->text),
              "this version knows 1");
  problems.error(std::move(error));
  return false;
}

// One scalar at the top of the file, expanded.
std::optional<YamlNode> top_scalar(const YamlNode& file, std::string_view key,
                                   const Scope& scope, Problems& problems) {
  for (const SchemaField& field : file_shape().fields) {
    const YamlNode* node = field.name == key ? file.find(key) : nullptr;
    if (node && node->is_scalar())
      return expand_tree(*node, *field.shape, fmt::format("`{}`", key), scope, problems);
  }
  return std::nullopt;
}

void read_recipe(const YamlNode& file, const FrontendOptions& options, Recipe& recipe,
                 Problems& problems) {
  Scope scope = read_scope(file, options, recipe.arguments, problems);
  const auto epoch = top_scalar(file, "epoch", scope, problems);
  if (epoch) recipe.epoch = parse_epoch(epoch->text).value_or(EpochRule());
  if (options.epoch) scope.set("epoch", std::to_string(options.epoch(recipe.epoch)));
  const auto project = top_scalar(file, "project", scope, problems);
  recipe.project = project && is_image_name(project->text) ? project->text
                   : options.project.empty()               ? project_of(recipe.directory)
                                                           : options.project;
  SourceReader sources(file, scope, problems);
  ImageReader images(file, options, scope, sources, problems);
  recipe.images = images.read(recipe.project);
  recipe.stages = std::move(images.stages()).take();
  if (!problems.any_error()) {
    lint_recipe(recipe, problems);
    lint_texts(file, problems);
    sources.warn_unused();
    images.stages().warn_unused();
    warn_unused_args(file, scope, problems);
  }
  recipe.sources = std::move(sources).take();
}

}  // namespace

Reading read_lithify_file(const std::string& file, const std::string& directory,
                          std::string_view text, const FrontendOptions& options) {
  Problems problems;
  Recipe recipe;
  recipe.file = file;
  recipe.directory = directory;
  try {
    const YamlNode root = parse_yaml(file, text);
    if (check_version(root, problems)) {
      check_shape(root, file_shape(), "the build file", problems);
      read_recipe(root, options, recipe, problems);
    }
  } catch (const oci::Error& error) {
    problems.error(error);
  } catch (const TooManyProblems&) {
    // What was found until here is told.
  }
  Reading reading;
  if (!problems.any_error()) reading.recipe = std::move(recipe);
  reading.problems = std::move(problems).take();
  return reading;
}

}  // namespace lithify
