#include "builder/frontend/lint.h"

#include <map>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/interpolate.h"
#include "builder/plan/glob.h"

namespace lithify {

namespace {

// What a step makes by name, as far as the build file alone says.
struct Made {
  std::string path;
  // `any`: a directory, or nobody knows. What is laid below a link goes where it leads.
  enum class Kind { any, link, file } kind = Kind::any;
};

std::vector<Made> made_by(const CopyStep& copy) {
  if (!copy.to.empty()) return {{copy.to}};
  std::vector<Made> made;
  for (const std::string& path : copy.paths) {
    const bool is_named = path != "." && !copy.unpack && Glob(path).is_literal();
    const std::string name = !is_named ? "*"  // whatever it is, it is below `into`
                             : copy.keep_paths ? path
                                               : path.substr(path.rfind('/') + 1);
    made.push_back({(copy.into == "/" ? "" : copy.into) + "/" + name});
  }
  return made;
}

std::vector<Made> made_by(const Verb& verb) {
  if (const auto* file = std::get_if<FileStep>(&verb))
    return {{file->path, Made::Kind::file}};
  if (const auto* dir = std::get_if<DirStep>(&verb)) return {{dir->path}};
  if (const auto* link = std::get_if<SymlinkStep>(&verb))
    return {{link->path, Made::Kind::link}};
  if (const auto* copy = std::get_if<CopyStep>(&verb)) return made_by(*copy);
  return {};
}

// The paths that the steps of one image make, and which of them hide each other.
class MadePaths {
 public:
  explicit MadePaths(Problems& problems) : problems_(problems) {}

  void add(const Made& made, const RecipeStep& step) {
    const auto [at, fresh] = known_.emplace(made.path, Known{&step, made.kind});
    if (!fresh) {
      // Copies to one directory merge, and a directory may be made before it is filled.
      const bool merges = std::holds_alternative<CopyStep>(step.verb) &&
                          at->second.kind == Made::Kind::any;
      if (!merges) warn_same_path(made.path, *at->second.step, step);
      at->second = {&step, made.kind};
    }
    refuse_below_file(made.path, step);
    if (made.kind != Made::Kind::any) look_below(made.path, step);
  }

  // A command reads what was there before somebody else makes it again.
  void forget() { known_.clear(); }

  // What a step with contents of its own made of the files, nobody knows.
  void lose_sight_of_files() {
    for (auto& [path, known] : known_)
      known.kind = Made::Kind::any;
  }

  // What a step removed, another may make.
  void remove(const RemoveStep& step) {
    const PathFilter removed(step.globs, {});
    std::erase_if(known_, [&](const auto& entry) {
      const std::string_view path = std::string_view(entry.first).substr(1);
      return !path.empty() && removed.takes(path);
    });
  }

 private:
  struct Known {
    const RecipeStep* step;
    Made::Kind kind;
  };

  void refuse_below_file(const std::string& path, const RecipeStep& step) {
    for (std::size_t slash = path.rfind('/'); slash > 0 && slash != std::string::npos;
         slash = path.rfind('/', slash - 1)) {
      const auto above = known_.find(path.substr(0, slash));
      if (above == known_.end() || above->second.kind != Made::Kind::file) continue;
      oci::Error error =
          offence(code::k_below_file, step.place,
                  fmt::format("{} would stand below the file {}", path, above->first),
                  "below a file");
      error.also_at(above->second.step->place, "the file");
      problems_.error(std::move(error));
      return;
    }
  }

  void look_below(const std::string& path, const RecipeStep& step) {
    const auto begin = known_.lower_bound(path + "/");
    auto end = begin;
    while (end != known_.end() && end->first.starts_with(path + "/"))
      ++end;
    if (begin == end) return;
    warn_hidden(path, begin->first, step, *begin->second.step);
    known_.erase(begin, end);
  }

  void warn_same_path(const std::string& path, const RecipeStep& first,
                      const RecipeStep& second) {
    oci::Error warning = offence(code::k_same_path, second.place,
                                 fmt::format("two steps make {}", path), "this one wins");
    warning.also_at(first.place, "hidden by the other");
    problems_.warning(std::move(warning.add_hint("remove one of them")));
  }

  void warn_hidden(const std::string& file, const std::string& below,
                   const RecipeStep& second, const RecipeStep& first) {
    oci::Error warning =
        offence(code::k_same_path, second.place,
                fmt::format("{} is no directory, and {} is below it", file, below),
                "hides what is below");
    warning.also_at(first.place, "hidden by the other");
    problems_.warning(std::move(warning));
  }

  Problems& problems_;
  std::map<std::string, Known> known_;
};

void warn_layer_copy(const RecipeStep& step, Problems& problems) {
  oci::Error warning = offence(code::k_layer_copy, step.place,
                               "`attrs` stores what it changes a second time",
                               "costs a copy in this layer");
  warning.add_hint("set `owner` and `mode` on the step that makes the files");
  problems.warning(std::move(warning));
}

void lint_steps(const std::vector<RecipeStep>& steps, Problems& problems) {
  MadePaths paths(problems);
  for (const RecipeStep& step : steps) {
    if (std::holds_alternative<AttrsStep>(step.verb)) warn_layer_copy(step, problems);
    if (const auto* remove = std::get_if<RemoveStep>(&step.verb)) paths.remove(*remove);
    if (std::holds_alternative<RunStep>(step.verb)) paths.forget();
    for (const Made& made : made_by(step.verb))
      paths.add(made, step);
    const bool plain = std::holds_alternative<FileStep>(step.verb) ||
                       std::holds_alternative<DirStep>(step.verb) ||
                       std::holds_alternative<SymlinkStep>(step.verb);
    if (!plain) paths.lose_sight_of_files();
  }
}

// References that stay as they are, though they look as if they should not.
void lint_text(const YamlNode& text, const char* where, const std::string& hint,
               Problems& problems) {
  const auto warn = [&](std::string_view what) {
    oci::Error warning = offence(
        code::k_not_expanded, text.place_of(what),
        fmt::format("`{}` is not expanded inside `{}`", what, where), "stays as it is");
    problems.warning(std::move(
        warning.add_hint(what == "${{" ? "write `$(args.name)` and " + hint : hint)));
  };
  bool warned = false;  // once is enough
  each_reference(text.text, [&](std::string_view reference) {
    if (warned || !reference.starts_with("$(args.")) return;
    warned = true;
    warn(reference);
  });
  if (text.text.find("${{") != std::string::npos) warn("${{");
}

void lint_command(const YamlNode& step, Problems& problems) {
  for (const YamlNode* text : scalars_of(step.find("run")))
    lint_text(*text, "run",
              "pass it in with `env: {VALUE: $(args.…)}`: the script has `\"$VALUE\"`",
              problems);
}

void lint_room(const YamlNode& room, Problems& problems) {
  for (const YamlNode& step : items_of(room, "steps")) {
    const YamlNode* text = step.find("text");
    if (text && text->is_scalar() && !flag_of(step, "expand", false))
      lint_text(*text, "text", "add `expand: true` to the step", problems);
    lint_command(step, problems);
  }
  for (const YamlNode& test : items_of(room, "tests"))
    lint_command(test, problems);
}

}  // namespace

void lint_recipe(const Recipe& recipe, Problems& problems) {
  for (const ImageRecipe& image : recipe.images) {
    for (const ImageVariant& variant : image.variants)
      lint_steps(variant.steps, problems);
  }
  for (const StageRecipe& stage : recipe.stages) {
    for (const StageVariant& variant : stage.variants)
      lint_steps(variant.steps, problems);
  }
}

void lint_texts(const YamlNode& file, Problems& problems) {
  if (const YamlNode* image = file.find("image")) lint_room(*image, problems);
  for (const char* rooms : {"images", "stages"}) {
    for (const YamlNode::Entry& entry : entries_of(file, rooms))
      lint_room(entry.value, problems);
  }
}

}  // namespace lithify
