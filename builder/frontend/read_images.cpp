#include "builder/frontend/read_images.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/known_platforms.h"
#include "builder/frontend/read_config.h"
#include "builder/frontend/read_push.h"
#include "builder/frontend/read_sign.h"
#include "builder/frontend/read_steps.h"
#include "builder/frontend/read_tests.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_platforms = 16;
constexpr std::size_t k_max_images = 256;
constexpr std::string_view k_image_prefix = "image:";

RebuildCheck rebuild_check_of(const YamlNode& policy) {
  const std::string when = text_of(policy, "rebuild-check");
  return when == "always"    ? RebuildCheck::always
         : when == "on-push" ? RebuildCheck::on_push
                             : RebuildCheck::never;
}

// The value of one of an image's fields.
YamlNode expand_field(const YamlNode& node, std::string_view name, const Scope& scope,
                      Problems& problems) {
  const auto& fields = image_shape().fields;
  const auto field = std::find_if(fields.begin(), fields.end(),
                                  [&](const SchemaField& f) { return f.name == name; });
  return expand_tree(node, *field->shape, fmt::format("`{}`", name), scope, problems);
}

// The order of the index: as the file has it, others behind, whatever order they were
// asked for in.
std::vector<oci::Platform> in_order(std::vector<oci::Platform> asked,
                                    const std::vector<oci::Platform>& written) {
  const auto rank = [&](const oci::Platform& platform) {
    return std::pair(
        std::find(written.begin(), written.end(), platform) - written.begin(),
        platform.str());
  };
  std::sort(asked.begin(), asked.end(),
            [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return asked;
}

}  // namespace

ImageReader::ImageReader(const YamlNode& file, const FrontendOptions& options,
                         const Scope& scope, SourceReader& sources, Problems& problems)
    : file_(file),
      options_(options),
      scope_(scope),
      sources_(sources),
      problems_(problems),
      stages_(file, scope, sources, *this, problems) {}

std::vector<ImageRecipe> ImageReader::read(const std::string& project) {
  declare(project);
  for (Declared& image : images_)
    read_image(image);
  stages_.read_unused(options_.platforms.empty() ? oci::Platform::host()
                                                 : options_.platforms.front());
  std::vector<ImageRecipe> recipes;
  for (Declared& image : images_)
    recipes.push_back(std::move(image.recipe));
  check_output_paths(recipes);
  check_push(recipes, problems_);
  return recipes;
}

void ImageReader::declare(const std::string& project) {
  const YamlNode::Entry* one = file_.find_entry("image");
  const YamlNode::Entry* several = file_.find_entry("images");
  if (!one == !several) {
    oci::Error error = offence(
        code::k_one_image_kind, one ? several->key.place() : file_.place(),
        one ? "the file has both `image` and `images`" : "the file builds no image");
    if (one) error.also_at(one->key.place(), "the other one");
    error.add_hint(one ? "move the image into `images`"
                       : "add `image: {from: scratch, steps: […]}`");
    return problems_.error(std::move(error));
  }
  const auto add = [this](const YamlNode::Entry& entry, const std::string& name) {
    if (!entry.value.is_map()) return;
    if (stages_.has(entry.key.text)) refuse_name_of_stage(entry.key);
    images_.push_back({name, &entry.value, entry.key.place(), {}, {}, {}});
    images_.back().recipe.lock_name = entry.key.text;
  };
  if (one) add(*one, project);
  for (const YamlNode::Entry& entry : entries_of(file_, "images"))
    add(entry, entry.key.text);
  if (images_.size() > k_max_images) {
    problems_.error(offence(code::k_too_large, images_.back().place,
                            fmt::format("more than {} images", k_max_images)));
    images_.clear();
  }
}

void ImageReader::refuse_name_of_stage(const YamlNode& key) {
  problems_.error(offence(
      code::k_duplicate, key.place(),
      fmt::format("`{}` is the name of a stage and of an image", key.text), "the image"));
}

void ImageReader::read_image(Declared& image) {
  if (image.state != Declared::State::fresh) return;
  image.state = Declared::State::reading;
  chain_.enter(std::string(k_image_prefix) + image.name);
  Scope scope = scope_;
  scope.set("image.name", image.name);
  // What all platforms share.
  const auto shared = [&](std::string_view field) -> std::optional<YamlNode> {
    const YamlNode* node = image.node->find(field);
    if (!node) return std::nullopt;
    return expand_field(*node, field, scope, problems_);
  };
  const auto description = shared("description");
  const auto annotations = shared("annotations");
  const auto layering = shared("layering");
  ImageRecipe& recipe = image.recipe;
  recipe.name = image.name;
  recipe.place = image.place;
  if (description) recipe.description = description->text;
  if (annotations)
    for (const YamlNode::Entry& entry : annotations->entries)
      recipe.annotations[entry.key.text] = entry.value.text;
  recipe.layering = read_layering(layering ? &*layering : nullptr);
  if (const YamlNode* push = own_or_default(*image.node, "push")) {
    const Scope pushing = push_scope(scope);
    const YamlNode expanded = expand_field(*push, "push", pushing, problems_);
    recipe.push = read_push(&expanded, pushing, problems_);
  }
  if (const YamlNode* sign = own_or_default(*image.node, "sign")) {
    recipe.sign =
        read_sign(expand_field(*sign, "sign", push_scope(scope), problems_), problems_);
  }
  if (const YamlNode* policy = own_or_default(*image.node, "policy")) {
    const YamlNode expanded = expand_field(*policy, "policy", scope, problems_);
    recipe.rebuild_check = rebuild_check_of(expanded);
  }
  for (const oci::Platform& platform : platforms_of(*image.node, scope)) {
    const Scope its = for_platform(scope, platform);
    read_variant(image, {platform, platform, its, its});
  }
  chain_.leave();
  image.state = Declared::State::done;
}

void ImageReader::read_variant(Declared& image, const StepPlatforms& platforms) {
  const Scope& scope = platforms.target_scope;
  const YamlNode node =
      expand_tree(*image.node, image_shape(), "the image", scope, problems_);
  Accounts accounts;
  ImageVariant variant;
  variant.platform = platforms.target;
  variant.from = read_base(node, platforms, accounts);
  const StepContext context{platforms, node.find("defaults"), sources_, stages_, accounts,
                            problems_};
  StepReader steps(context);
  variant.steps = steps.read(items_of(node, "steps"));
  image.recipe.packages_steps = steps.packages_steps();
  image.recipe.run_steps = steps.run_steps();
  variant.config = read_config(node.find("config"), problems_);
  if (const YamlNode* outputs = own_or_default(*image.node, "outputs")) {
    const YamlNode expanded = expand_field(*outputs, "outputs", scope, problems_);
    variant.outputs = read_outputs(&expanded);
  }
  variant.tests = read_tests(node.find("tests"), context, options_.read_file);
  image.recipe.variants.push_back(std::move(variant));
  image.accounts.push_back(std::move(accounts));
}

const YamlNode* ImageReader::own_or_default(const YamlNode& image,
                                            std::string_view field) const {
  const YamlNode* own = image.find(field);
  return own ? own : file_.find(field);
}

From ImageReader::read_base(const YamlNode& node, const StepPlatforms& platforms,
                            Accounts& accounts) {
  const YamlNode* from = node.find("from");
  if (!from || !from->is_scalar()) return {};  // already reported
  if (stages_.has(from->text)) return from_stage(*from, platforms.target, accounts);
  return read_from(*from, {platforms.target, platforms.target_scope}, accounts);
}

From ImageReader::from_stage(const YamlNode& from, const oci::Platform& platform,
                             Accounts& accounts) {
  const From read{From::Kind::stage, from.text, from.place()};
  const auto stage = stages_.use(from, platform);
  if (!stage) return read;
  accounts = *stage->accounts;
  if (stage->runs_on == platform) return read;
  oci::Error error =
      offence(code::k_platform, from.place(),
              fmt::format("stage `{}` is for the builder's platform, whatever the image "
                          "is built for",
                          from.text),
              "no base for an image");
  error.add_hint(
      "copy from it what the image needs, or leave `platform: build` out of "
      "the stage and of what it stands on");
  problems_.error(std::move(error));
  return read;
}

From ImageReader::read_from(const YamlNode& from, const Standing& standing,
                            Accounts& accounts) {
  From read;
  read.place = from.place();
  if (from.text == "scratch") return read;
  if (from.text.starts_with(k_image_prefix))
    return from_image(from, standing.platform, accounts);
  if (!sources_.has(from.text) && image_named(from.text)) {
    report_bare_image(from);
    return read;
  }
  const auto found = sources_.use(from, standing.platform, standing.scope);
  if (!found) return read;
  accounts.allow_others();  // those of the base
  check_base(from, *found->source, standing.in_stage);
  read.kind = From::Kind::source;
  read.name = found->key;
  return read;
}

void ImageReader::check_base(const YamlNode& from, const Source& source, bool in_stage) {
  const auto* image = std::get_if<ImageSource>(&source.kind);
  if (std::holds_alternative<LayoutSource>(source.kind) ||
      (image && (in_stage || !image->build_platform)))
    return;
  const char* what = in_stage ? "a stage" : "an image";
  oci::Error error = offence(
      code::k_wrong_source, from.place(),
      image ? fmt::format("`{}` is for the builder's platform, whatever the image is "
                          "built for",
                          from.text)
            : fmt::format("`{}` is {} and no base for {}", from.text, kind_of(source),
                          what),
      image ? "no base for an image" : "not an image");
  error.also_at(source.place, "declared here");
  error.add_hint(image ? "leave `platform: build` out of a source for `from`"
                       : "`from` is `scratch`, an `image` or `layout` source or "
                         "`image:<name>`");
  problems_.error(std::move(error));
}

From ImageReader::from_image(const YamlNode& from, const oci::Platform& platform,
                             Accounts& accounts) {
  const std::string name = from.text.substr(k_image_prefix.size());
  Declared* base = image_named(name);
  if (!base) {
    report_unknown_image(from, name);
    return {};
  }
  if (base->state == Declared::State::reading) {
    report_circle(from, base->place);
    return {};
  }
  read_image(*base);
  const auto& variants = base->recipe.variants;
  const auto same = std::find_if(
      variants.begin(), variants.end(),
      [&](const ImageVariant& variant) { return variant.platform == platform; });
  if (same == variants.end()) {
    oci::Error error = offence(
        code::k_platform, from.place(),
        fmt::format("image `{}` is not built for {}", name, platform.str()), "its base");
    error.also_at(base->place, "this image");
    error.add_hint(fmt::format("add {} to the platforms of `{}`", platform.str(), name));
    problems_.error(std::move(error));
    return {};
  }
  accounts = base->accounts[static_cast<std::size_t>(same - variants.begin())];
  return {From::Kind::image, name, from.place()};
}

ImageReader::Declared* ImageReader::image_named(const std::string& name) {
  const auto found = std::find_if(images_.begin(), images_.end(),
                                  [&](const Declared& d) { return d.name == name; });
  return found == images_.end() ? nullptr : &*found;
}

void ImageReader::report_bare_image(const YamlNode& from) {
  oci::Error error =
      offence(code::k_unknown_source, from.place(),
              fmt::format("there is no source `{}`", from.text), "an image's name");
  error.also_at(image_named(from.text)->place, "the image");
  error.add_hint(fmt::format("write `from: image:{}`", from.text));
  problems_.error(std::move(error));
}

void ImageReader::report_circle(const YamlNode& from, const Place& start) {
  std::string circle = chain_.circle(from.text);
  const bool has_stages = chain_.has_stage_since(from.text);
  for (std::size_t at = 0;
       !has_stages && (at = circle.find(k_image_prefix)) != circle.npos;)
    circle.erase(at, k_image_prefix.size());
  oci::Error error =
      offence(code::k_cycle, from.place(),
              has_stages ? "stages and images cannot need each other in a circle"
                         : "images cannot stand on each other in a circle",
              circle);
  error.also_at(start, "the circle starts here");
  problems_.error(std::move(error));
}

void ImageReader::report_unknown_image(const YamlNode& from, const std::string& name) {
  std::vector<std::string> names;
  for (const Declared& image : images_)
    names.push_back(image.name);
  oci::Error error =
      offence(code::k_unknown_image, from.place(),
              fmt::format("there is no image `{}`", name), "not in `images`");
  const std::string near = did_you_mean(name, names);
  error.add_hint(
      near.empty() ? fmt::format("the images are `{}`", fmt::join(names, "`, `")) : near);
  problems_.error(std::move(error));
}

std::vector<oci::Platform> ImageReader::platforms_of(const YamlNode& image,
                                                     const Scope& scope) {
  const YamlNode* list = image.find("platforms");
  if (!list) list = file_.find("platforms");
  std::vector<oci::Platform> written;
  if (list && list->is_list()) written = read_platforms(*list, scope);
  if (!options_.platforms.empty()) return in_order(options_.platforms, written);
  if (list) return written;
  return {oci::Platform::host()};
}

std::vector<oci::Platform> ImageReader::read_platforms(const YamlNode& list,
                                                       const Scope& scope) {
  const YamlNode expanded = expand_field(list, "platforms", scope, problems_);
  std::vector<oci::Platform> platforms;
  for (const YamlNode* item : scalars_of(&expanded)) {
    const auto platform = oci::Platform::parse(item->text);
    if (!platform) continue;  // already reported
    if (!is_known(*platform)) {
      problems_.error(unknown_platform(*platform).at(item->place(), "not known"));
    } else if (std::find(platforms.begin(), platforms.end(), *platform) !=
               platforms.end()) {
      problems_.error(offence(code::k_duplicate, item->place(),
                              fmt::format("platform {} stands twice", platform->str())));
    } else if (platforms.size() == k_max_platforms) {
      problems_.error(offence(code::k_too_large, item->place(),
                              fmt::format("more than {} platforms", k_max_platforms)));
    } else {
      platforms.push_back(*platform);
    }
  }
  return platforms;
}

// An OCI layout holds several images, an OCI archive several platforms of one; the other
// kinds hold one file tree.
void ImageReader::check_output_paths(const std::vector<ImageRecipe>& images) {
  struct Writer {
    const Output* output;
    std::string image;
  };
  std::map<std::string, Writer> writers;
  for (const ImageRecipe& image : images) {
    for (const ImageVariant& variant : image.variants) {
      for (const Output& output : variant.outputs) {
        const auto [at, fresh] =
            writers.emplace(output.path, Writer{&output, image.name});
        const bool same_kind = at->second.output->kind == output.kind;
        const bool shared = same_kind && (output.kind == Output::Kind::oci ||
                                          (output.kind == Output::Kind::oci_archive &&
                                           at->second.image == image.name));
        if (fresh || shared) continue;
        const bool other_image = at->second.image != image.name;
        oci::Error error = offence(code::k_output_clash, output.place,
                                   fmt::format("two {} would write `{}`",
                                               !same_kind    ? "outputs"
                                               : other_image ? "images"
                                                             : "platforms",
                                               output.path),
                                   "written more than once");
        error.add_hint(other_image ? "put `$(image.name)` into the path"
                                   : "put `$(platform.arch)` into the path");
        problems_.error(std::move(error));
      }
    }
  }
}

}  // namespace lithify
