#include "builder/frontend/read_push.h"

#include <map>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_when.h"
#include "builder/frontend/values.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_targets = 64;
constexpr std::size_t k_max_tags = 256;  // of one image

// Of one file: two images may share a push of the whole file.
bool same(const Place& one, const Place& other) {
  return one.line == other.line && one.column == other.column;
}

class PushReader {
 public:
  PushReader(const Scope& scope, Problems& problems)
      : scope_(scope), problems_(problems) {}

  void read(const YamlNode& target) {
    const YamlNode* when = target.find("when");
    const bool wanted = !when || arguments_hold(*when, scope_, problems_);
    const YamlNode* repository = target.find("repo");
    if (!wanted || !repository) return;
    const auto name = parse_repository(repository->text);
    if (!name) return;  // already reported
    if (found_.size() == k_max_targets) return too_many(*repository, "repositories");
    PushTarget& made = found_.emplace_back();
    made.repository = *name;
    made.place = repository->place();
    for (const YamlNode::Entry& tag : entries_of(target, "tags"))
      add(tag, made);
  }

  std::vector<PushTarget> take() && { return std::move(found_); }

 private:
  void add(const YamlNode::Entry& tag, PushTarget& target) {
    if (!tag.key.is_scalar() || !tag.value.is_scalar()) return;  // already reported
    if (tags_.size() == k_max_tags) return too_many(tag.key, "tags");
    const auto [first, fresh] =
        tags_.emplace(target.repository + ":" + tag.key.text, tag.key.place());
    if (!fresh) return twice(tag.key, first->first, first->second);
    target.tags.push_back({tag.key.text, tag.value.text == "once", tag.key.place()});
  }

  void twice(const YamlNode& tag, const std::string& name, const Place& first) {
    oci::Error error = offence(code::k_duplicate, tag.place(),
                               fmt::format("`{}` is pushed twice", name), "again");
    error.also_at(first, "the first");
    problems_.error(std::move(error));
  }

  void too_many(const YamlNode& node, std::string_view what) {
    problems_.error(
        offence(code::k_too_large, node.place(),
                fmt::format("more than {} {} to push one image to",
                            what == "tags" ? k_max_tags : k_max_targets, what)));
  }

  const Scope& scope_;
  Problems& problems_;
  std::vector<PushTarget> found_;
  std::map<std::string, Place> tags_;
};

}  // namespace

Scope push_scope(Scope scope) {
  for (const char* name :
       {"platform.os", "platform.arch", "platform.variant", "platform.spec"})
    scope.withhold(name, "one push is one index of all platforms");
  return scope;
}

std::vector<PushTarget> read_push(const YamlNode* push, const Scope& scope,
                                  Problems& problems) {
  PushReader reader(scope, problems);
  if (push) {
    for (const YamlNode& target : push->items)
      reader.read(target);
  }
  return std::move(reader).take();
}

void check_push(const std::vector<ImageRecipe>& images, Problems& problems) {
  struct Pusher {
    const ImageRecipe* image;
    Place place;
  };
  std::map<std::string, Pusher> pushers;
  for (const ImageRecipe& image : images) {
    for (const PushTarget& target : image.push) {
      for (const TagRule& tag : target.tags) {
        const std::string name = target.repository + ":" + tag.name;
        const auto [at, fresh] = pushers.emplace(name, Pusher{&image, tag.place});
        const Pusher& other = at->second;
        if (fresh || other.image == &image) continue;
        oci::Error error =
            offence(code::k_push_clash, tag.place,
                    fmt::format("images `{}` and `{}` would both be pushed to `{}`",
                                other.image->name, image.name, name),
                    "written more than once");
        if (!same(other.place, tag.place)) error.also_at(other.place, "the other one");
        error.add_hint("put `$(image.name)` into `repo`");
        problems.error(std::move(error));
      }
    }
  }
}

}  // namespace lithify
