#include "builder/cli/local_sources.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace lithify {

namespace fs = std::filesystem;

namespace {

fs::path absolute(const Recipe& recipe, const std::string& path) {
  return (fs::path(recipe.directory) / path).lexically_normal();
}

// The keys of sources that the images name, those they stand on included.
class Needed {
 public:
  Needed(const Recipe& recipe, const std::vector<std::string>& images) : recipe_(recipe) {
    for (const ImageRecipe& image : recipe.images) {
      const bool wanted = images.empty() || std::find(images.begin(), images.end(),
                                                      image.name) != images.end();
      if (wanted) visit(image);
    }
  }
  bool has(const std::string& key) const { return keys_.count(key) != 0; }

 private:
  void visit(const ImageRecipe& image) {
    if (!seen_.insert("image:" + image.name).second) return;
    for (const ImageVariant& variant : image.variants)
      visit(variant.from, variant.steps);
  }

  void visit(const StageRecipe& stage) {
    if (!seen_.insert(stage.name).second) return;
    for (const StageVariant& variant : stage.variants)
      visit(variant.from, variant.steps);
  }

  void visit(const From& from, const std::vector<RecipeStep>& steps) {
    if (from.kind == From::Kind::source) keys_.insert(from.name);
    if (from.kind == From::Kind::image) visit_named(recipe_.images, from.name);
    if (from.kind == From::Kind::stage) visit_named(recipe_.stages, from.name);
    for (const RecipeStep& step : steps) {
      if (const auto* copy = std::get_if<CopyStep>(&step.verb))
        visit_tree(copy->source, copy->of_stage);
      const auto* run = std::get_if<RunStep>(&step.verb);
      for (const RunMount& mount : run ? run->mounts : std::vector<RunMount>()) {
        if (mount.kind == RunMount::Kind::tree) visit_tree(mount.from, mount.of_stage);
      }
    }
  }

  void visit_tree(const std::string& name, bool of_stage) {
    if (!of_stage) keys_.insert(name);
    if (of_stage) visit_named(recipe_.stages, name);
  }

  template <class Named>
  void visit_named(const std::vector<Named>& all, const std::string& name) {
    for (const Named& one : all) {
      if (one.name == name) visit(one);
    }
  }

  const Recipe& recipe_;
  std::set<std::string> seen_;
  std::set<std::string> keys_;
};

bool is_web(const std::string& location) {
  return location.find("://") != std::string::npos;
}

// The path on this machine that a source is; empty if it is elsewhere.
std::string path_of(const Source& source) {
  if (const auto* local = std::get_if<LocalSource>(&source.kind)) return local->path;
  if (const auto* layout = std::get_if<LayoutSource>(&source.kind)) return layout->path;
  const auto* archive = std::get_if<ArchiveSource>(&source.kind);
  return archive != nullptr && !is_web(archive->location) ? archive->location : "";
}

void set_path(Source& source, const std::string& path) {
  if (auto* local = std::get_if<LocalSource>(&source.kind)) local->path = path;
  if (auto* layout = std::get_if<LayoutSource>(&source.kind)) layout->path = path;
  if (auto* archive = std::get_if<ArchiveSource>(&source.kind)) archive->location = path;
}

// A pattern that matches this path alone.
std::string literal_pattern(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    const bool special = c == '*' || c == '?' || c == '[';
    pattern += special ? fmt::format("[{}]", c) : std::string(1, c);
  }
  return pattern;
}

bool is_below(const fs::path& path, const fs::path& directory) {
  const fs::path relative = path.lexically_relative(directory);
  return !relative.empty() && relative != "." && *relative.begin() != "..";
}

// Nothing, or a directory of nothing but results.
bool holds_only(const fs::path& directory, const std::set<fs::path>& results) {
  std::error_code problem;
  for (fs::directory_iterator at(directory, problem);
       !problem && at != fs::directory_iterator(); at.increment(problem)) {
    if (results.count(at->path()) == 0) return false;
  }
  return !problem || problem == std::errc::no_such_file_or_directory;
}

// Adds to the results below `source` the directories that are there for them alone.
void add_their_directories(std::set<fs::path>& results, const fs::path& source) {
  const std::set<fs::path> given = results;
  for (const fs::path& path : given) {
    fs::path above = path.parent_path();
    while (is_below(above, source) && holds_only(above, results)) {
      results.insert(above);
      above = above.parent_path();
    }
  }
}

// Symlinks on the way resolved, as far as there is something.
fs::path resolved(const fs::path& path) {
  std::error_code problem;
  const fs::path found = fs::weakly_canonical(path, problem);
  return problem ? path : found;
}

}  // namespace

std::vector<oci::Error> missing_sources(const Recipe& recipe,
                                        const std::vector<std::string>& images) {
  std::vector<oci::Error> missing;
  const Needed needed(recipe, images);
  for (const auto& [key, source] : recipe.sources) {
    const std::string path = path_of(source);
    if (path.empty() || !needed.has(key)) continue;
    std::error_code problem;
    const fs::path full = absolute(recipe, path);
    if (fs::exists(full, problem) || problem) continue;
    missing.push_back(
        oci::Error(oci::Errc::not_found, fmt::format("source `{}` is not there: {}",
                                                     source.name, full.string()))
            .at(source.place, "named here")
            .add_hint("make it, or correct the path; it is relative to the build file"));
  }
  return missing;
}

void put_in_place(Recipe& recipe, const std::map<std::string, fs::path>& places,
                  const fs::path& confined_to) {
  for (auto& [key, source] : recipe.sources) {
    const std::string path = path_of(source);
    if (path.empty()) continue;
    const auto place = places.find(source.name);
    if (place != places.end()) {
      set_path(source, fs::absolute(place->second).lexically_normal().string());
      continue;
    }
    if (confined_to.empty()) continue;
    const fs::path top = resolved(confined_to);
    const fs::path full = resolved(absolute(recipe, path));
    if (full == top || is_below(full, top)) continue;
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("the recorded build file takes source `{}` from {}, which "
                    "is outside of {}",
                    source.name, path, confined_to.string()))
        .at(source.place)
        .add_hint(fmt::format("if you trust it: `--source {}=DIR`", source.name));
  }
}

void leave_out(Recipe& recipe, const std::vector<fs::path>& paths) {
  for (auto& [key, source] : recipe.sources) {
    auto* local = std::get_if<LocalSource>(&source.kind);
    if (local == nullptr) continue;
    const fs::path directory = resolved(absolute(recipe, local->path));
    std::set<fs::path> results;
    for (const fs::path& path : paths) {
      const fs::path place = resolved(path);
      if (is_below(place, directory)) results.insert(place);
    }
    add_their_directories(results, directory);
    for (const fs::path& place : results)
      local->exclude.push_back(
          literal_pattern(place.lexically_relative(directory).string()));
  }
}

}  // namespace lithify
