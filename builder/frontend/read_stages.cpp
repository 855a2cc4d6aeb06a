#include "builder/frontend/read_stages.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_images.h"
#include "builder/frontend/read_steps.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_stages = 256;

// Whether a condition of one of the steps names platforms.
bool asks_for_platform(const YamlNode& node) {
  const YamlNode* when = node.find("when");
  if (when && when->find("platform")) return true;
  const auto& steps = items_of(node, "steps");
  return std::any_of(steps.begin(), steps.end(), asks_for_platform);
}

// "linux-arm-v7"
std::string word_of(const oci::Platform& platform) {
  std::string word = platform.str();
  std::replace(word.begin(), word.end(), '/', '-');
  return word;
}

}  // namespace

bool ReadingChain::has(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool ReadingChain::has_stage_since(const std::string& name) const {
  const auto first = std::find(names_.begin(), names_.end(), name);
  return std::any_of(first, names_.end(), [](const std::string& other) {
    return !other.starts_with("image:");
  });
}

std::string ReadingChain::circle(const std::string& name) const {
  std::string path;
  for (auto at = std::find(names_.begin(), names_.end(), name); at != names_.end(); ++at)
    path += *at + " → ";
  return path + name;
}

Scope for_platform(Scope scope, const oci::Platform& platform) {
  scope.set("platform.os", platform.os);
  scope.set("platform.arch", platform.architecture);
  scope.set("platform.variant", platform.variant);
  scope.set("platform.spec", platform.str());
  return scope;
}

StageReader::StageReader(const YamlNode& file, const Scope& scope, SourceReader& sources,
                         ImageReader& images, Problems& problems)
    : scope_(scope), sources_(sources), images_(images), problems_(problems) {
  for (const YamlNode::Entry& entry : entries_of(file, "stages")) {
    if (order_.size() == k_max_stages) {
      problems_.error(offence(code::k_too_large, entry.key.place(),
                              fmt::format("more than {} stages", k_max_stages)));
      break;
    }
    if (!name_fits(entry.key)) continue;
    const std::string& name = entry.key.text;
    order_.push_back(name);
    Declared& stage = declared_[name];
    stage.entry = &entry;
    stage.recipe.name = name;
    stage.recipe.lock_name = "stage:" + name;
    stage.recipe.place = entry.key.place();
    stage.recipe.build_platform = text_of(entry.value, "platform") == "build";
  }
  sources_.set_stages(order_);
}

// A `from` that could mean two things means nothing.
bool StageReader::name_fits(const YamlNode& key) {
  if (key.text == "scratch") {
    problems_.error(offence(code::k_bad_value, key.place(),
                            "a stage cannot be called `scratch`",
                            "`from: scratch` means no base"));
    return false;
  }
  const YamlNode* source = sources_.declaration(key.text);
  if (!source) return true;
  oci::Error error = offence(
      code::k_duplicate, key.place(),
      fmt::format("`{}` is the name of a source and of a stage", key.text), "the stage");
  error.also_at(source->place(), "the source");
  error.add_hint("give one of them another name, so that `from` says which");
  problems_.error(std::move(error));
  return true;
}

std::vector<std::string> StageReader::names() const {
  return order_;
}

std::optional<StageReader::Found> StageReader::use(const YamlNode& name,
                                                   const oci::Platform& platform) {
  const auto declared = declared_.find(name.text);
  if (declared == declared_.end()) return std::nullopt;
  note_use(name.text);
  if (images_.chain().has(name.text)) {
    images_.report_circle(name, declared->second.recipe.place);
    return std::nullopt;
  }
  const Variant* found = variant(declared->second, platform);
  if (!found) return std::nullopt;
  return Found{found->recipe.runs_on, found->by_target, &found->accounts};
}

const StageReader::Variant* StageReader::variant(Declared& stage,
                                                 const oci::Platform& platform) {
  if (!stage.entry->value.is_map()) return nullptr;  // already reported
  const auto known = stage.variants.find(platform.str());
  if (known != stage.variants.end()) return &known->second;
  images_.chain().enter(stage.recipe.name);
  Variant made = read(stage, platform);
  images_.chain().leave();
  return &stage.variants.emplace(platform.str(), std::move(made)).first->second;
}

StepPlatforms StageReader::platforms_for(const oci::Platform& target,
                                         const oci::Platform& runs_on) const {
  Scope scope = scope_;
  scope.withhold("image.name", "a stage is the same for all images");
  return {target, runs_on, for_platform(scope, target), for_platform(scope, runs_on)};
}

StageReader::Variant StageReader::read(Declared& stage, const oci::Platform& platform) {
  const bool on_builder = stage.recipe.build_platform;
  StepPlatforms platforms =
      platforms_for(platform, on_builder ? oci::Platform::host() : platform);
  const YamlNode node = expand_tree(stage.entry->value, stage_shape(), "the stage",
                                    platforms.target_scope, problems_);
  Variant made;
  made.by_target = names_platform(stage.entry->value) || asks_for_platform(node);
  made.recipe.platform = platform;
  made.recipe.runs_on = platforms.runs_on;
  read_base(made, node, platforms, on_builder);
  platforms = platforms_for(platform, made.recipe.runs_on);
  made.recipe.lock_name = stage.recipe.lock_name;
  if (made.by_target && made.recipe.runs_on != platform)
    made.recipe.lock_name += "@" + word_of(platform);
  StepReader steps(
      {platforms, node.find("defaults"), sources_, *this, made.accounts, problems_});
  made.recipe.steps = steps.read(items_of(node, "steps"));
  stage.recipe.packages_steps = steps.packages_steps();
  stage.recipe.run_steps = steps.run_steps();
  return made;
}

// Where a stage runs follows from what it stands on, unless it says so itself.
void StageReader::read_base(Variant& made, const YamlNode& node,
                            const StepPlatforms& platforms, bool on_builder) {
  const YamlNode* from = node.find("from");
  if (!from || !from->is_scalar()) return;  // already reported
  if (has(from->text)) {
    auto base = use(*from, platforms.target);
    if (base && on_builder && base->runs_on != platforms.runs_on)
      base = use(*from, platforms.runs_on);
    made.recipe.from = {From::Kind::stage, from->text, from->place()};
    if (!base) return;
    made.recipe.runs_on = base->runs_on;
    made.by_target = made.by_target || base->by_target;
    made.accounts = *base->accounts;
    return;
  }
  made.recipe.from = images_.read_from(
      *from, {platforms.runs_on, platforms.runs_on_scope, true}, made.accounts);
  if (made.recipe.from.kind == From::Kind::source &&
      sources_.is_for_builder(made.recipe.from.name))
    made.recipe.runs_on = oci::Platform::host();
}

void StageReader::read_unused(const oci::Platform& platform) {
  for (const std::string& name : order_) {
    Declared& stage = declared_.at(name);
    if (stage.variants.empty()) variant(stage, platform);
  }
}

void StageReader::warn_unused() {
  for (const std::string& name : order_) {
    if (used_.count(name) > 0) continue;
    problems_.warning(offence(code::k_unused_stage, declared_.at(name).entry->key.place(),
                              fmt::format("nothing uses stage `{}`", name),
                              "never built"));
  }
}

std::vector<StageRecipe> StageReader::take() && {
  std::vector<StageRecipe> stages;
  for (const std::string& name : order_) {
    Declared& stage = declared_.at(name);
    for (auto& [platform, variant] : stage.variants)
      stage.recipe.variants.push_back(std::move(variant.recipe));
    stages.push_back(std::move(stage.recipe));
  }
  return stages;
}

TreeName tree_named(const YamlNode& from, const StepContext& context) {
  const oci::Platform& platform = context.platforms.target;
  if (context.stages.has(from.text)) {
    return context.stages.use(from, platform) ? TreeName{from.text, true} : TreeName{};
  }
  const auto found = context.sources.use(from, platform, context.platforms.target_scope);
  if (!found) return {};
  if (std::holds_alternative<AptSource>(found->source->kind)) {
    oci::Error error = offence(code::k_wrong_source, from.place(),
                               fmt::format("`{}` is {}; its packages are installed, not "
                                           "copied",
                                           from.text, kind_of(*found->source)),
                               "no files here");
    error.also_at(found->source->place, "declared here");
    context.problems.error(std::move(error));
  }
  return {found->key, false};
}

}  // namespace lithify
