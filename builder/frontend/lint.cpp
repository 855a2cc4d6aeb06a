#include "builder/frontend/lint.h"

#include <map>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/interpolate.h"

namespace lithify {

namespace {

// The path that a step makes all by itself; "" if it makes none or several.
std::string path_made(const Verb& verb) {
  if (const auto* file = std::get_if<FileStep>(&verb)) return file->path;
  if (const auto* dir = std::get_if<DirStep>(&verb)) return dir->path;
  if (const auto* symlink = std::get_if<SymlinkStep>(&verb)) return symlink->path;
  return "";
}

void warn_same_path(const std::string& path, const RecipeStep& first,
                    const RecipeStep& second, Problems& problems) {
  oci::Error warning = offence(code::k_same_path, second.place,
                               fmt::format("two steps make {}", path), "this one wins");
  warning.also_at(first.place, "hidden by the other");
  warning.add_hint("remove one of them");
  problems.warning(std::move(warning));
}

// Finds steps that make something below a file which an earlier one made.
class FilesMade {
 public:
  explicit FilesMade(Problems& problems) : problems_(problems) {}

  void look_at(const RecipeStep& step) {
    const auto* copy = std::get_if<CopyStep>(&step.verb);
    const std::string path = copy == nullptr      ? path_made(step.verb)
                             : copy->into.empty() ? copy->to
                                                  : copy->into + "/*";
    for (std::size_t end = path.rfind('/'); end != std::string::npos && end > 0;
         end = path.rfind('/', end - 1)) {
      const auto file = files_.find(path.substr(0, end));
      if (file != files_.end()) return refuse(step, path, *file->second);
    }
    if (std::holds_alternative<FileStep>(step.verb)) {
      files_[path] = &step;
    } else if (copy == nullptr && !path.empty()) {
      files_.erase(path);
    } else {
      files_.clear();  // who knows what it replaced or took away
    }
  }

 private:
  void refuse(const RecipeStep& step, const std::string& path, const RecipeStep& file) {
    const std::string& name = std::get<FileStep>(file.verb).path;
    oci::Error error = offence(
        code::k_below_file, step.place,
        fmt::format("{} would stand below the file {}", path, name), "below a file");
    error.also_at(file.place, "the file");
    problems_.error(std::move(error));
  }

  Problems& problems_;
  std::map<std::string, const RecipeStep*> files_;
};

void lint_steps(const std::vector<RecipeStep>& steps, Problems& problems) {
  FilesMade files(problems);
  std::map<std::string, const RecipeStep*> made;
  for (const RecipeStep& step : steps) {
    files.look_at(step);
    if (std::holds_alternative<AttrsStep>(step.verb)) {
      oci::Error warning = offence(code::k_layer_copy, step.place,
                                   "`attrs` stores what it changes a second time",
                                   "costs a copy in this layer");
      warning.add_hint("set `owner` and `mode` on the step that makes the files");
      problems.warning(std::move(warning));
    }
    std::string path = path_made(step.verb);
    if (const auto* copy = std::get_if<CopyStep>(&step.verb)) path = copy->to;
    if (path.empty()) continue;
    const auto [at, fresh] = made.emplace(path, &step);
    if (fresh) continue;
    // Copies to one directory merge, and a directory may be made before it is filled.
    const RecipeStep& first = *at->second;
    const bool merges = std::holds_alternative<CopyStep>(step.verb) &&
                        !std::holds_alternative<FileStep>(first.verb) &&
                        !std::holds_alternative<SymlinkStep>(first.verb);
    if (!merges) warn_same_path(path, first, step, problems);
    at->second = &step;
  }
}

void lint_text(const YamlNode& text, Problems& problems) {
  const auto warn = [&](std::string_view what, const std::string& hint) {
    oci::Error warning = offence(code::k_not_expanded, text.place_of(what),
                                 fmt::format("`{}` is not expanded inside `text`", what),
                                 "stays as it is");
    problems.warning(std::move(warning.add_hint(hint)));
  };
  bool warned = false;  // once is enough
  each_reference(text.text, [&](std::string_view reference) {
    if (warned || !reference.starts_with("$(args.")) return;
    warned = true;
    warn(reference, "add `expand: true` to the step");
  });
  if (text.text.find("${{") != std::string::npos)
    warn("${{", "write `$(args.name)` and add `expand: true` to the step");
}

void lint_image(const YamlNode& image, Problems& problems) {
  for (const YamlNode& step : items_of(image, "steps")) {
    const YamlNode* text = step.find("text");
    if (text && text->is_scalar() && !flag_of(step, "expand", false))
      lint_text(*text, problems);
  }
}

}  // namespace

void lint_recipe(const Recipe& recipe, Problems& problems) {
  for (const ImageRecipe& image : recipe.images) {
    for (const ImageVariant& variant : image.variants)
      lint_steps(variant.steps, problems);
  }
}

void lint_texts(const YamlNode& file, Problems& problems) {
  if (const YamlNode* image = file.find("image")) lint_image(*image, problems);
  for (const YamlNode::Entry& entry : entries_of(file, "images"))
    lint_image(entry.value, problems);
}

}  // namespace lithify
