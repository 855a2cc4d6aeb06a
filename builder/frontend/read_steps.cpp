#include "builder/frontend/read_steps.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_run.h"
#include "builder/frontend/read_stages.h"
#include "builder/frontend/read_when.h"
#include "builder/frontend/values.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

std::string last_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Whether /etc/passwd or /etc/group may come with this step.
bool may_bring_accounts(const Verb& verb) {
  const auto holds_them = [](const std::string& path) {
    return path == "/" || path == "/etc" || path == "/etc/passwd" || path == "/etc/group";
  };
  if (const auto* copy = std::get_if<CopyStep>(&verb))
    return holds_them(copy->to.empty() ? copy->into : copy->to);
  if (const auto* file = std::get_if<FileStep>(&verb)) return holds_them(file->path);
  if (const auto* link = std::get_if<SymlinkStep>(&verb)) return holds_them(link->path);
  if (const auto* run = std::get_if<RunStep>(&verb))
    return run->outputs.empty() ||
           std::any_of(run->outputs.begin(), run->outputs.end(), holds_them);
  return std::holds_alternative<PackagesStep>(verb);
}

// The kernel's struct vfs_cap_data, of its second or third revision.
bool is_capability(std::string_view value) {
  return (value.size() == 20 && value[3] == 2) || (value.size() == 24 && value[3] == 3);
}

}  // namespace

std::vector<RecipeStep> StepReader::read(const std::vector<YamlNode>& steps) {
  std::vector<RecipeStep> read;
  const Shape& shape = step_shape();
  for (const YamlNode& step : steps) {
    const Variant* variant = variant_of(shape, step);
    if (!variant || !variant->main.shape) continue;  // already reported
    const std::size_t number = packages_steps_;
    const std::size_t run_number = run_steps_;
    if (step.find("packages")) ++packages_steps_;
    if (step.find("run")) ++run_steps_;
    if (!applies(step)) {
      note_uses(step);
      continue;
    }
    const YamlNode::Entry& main = *step.find_entry(variant->main.name);
    RecipeStep made;
    made.verb = read_verb(step, main);
    if (auto* packages = std::get_if<PackagesStep>(&made.verb)) packages->number = number;
    if (auto* run = std::get_if<RunStep>(&made.verb)) run->number = run_number;
    made.place = main.key.place();
    made.name = text_of(step, "name");
    made.layer = text_of(step, "layer");
    made.text = step_text(made.verb);
    made.mtime_epoch = text_of(step, "mtime") == "epoch";
    if (may_bring_accounts(made.verb)) context_.accounts.allow_others();
    read.push_back(std::move(made));
  }
  return read;
}

// Those of a step whose condition does not hold.
void StepReader::note_uses(const YamlNode& step) {
  const auto note = [this](const YamlNode& node) {
    context_.sources.note_use(text_of(node, "from"));
    context_.stages.note_use(text_of(node, "from"));
  };
  note(step);
  for (const YamlNode& mount : items_of(step, "mounts"))
    note(mount);
  const YamlNode* mounts = step.find("run") ? default_of(context_, "mounts") : nullptr;
  if (!mounts) return;
  for (const YamlNode& mount : mounts->items)
    note(mount);
}

bool StepReader::applies(const YamlNode& step) {
  const YamlNode* when = step.find("when");
  if (!when) return true;
  const StepPlatforms& platforms = context_.platforms;
  const bool arguments = arguments_hold(*when, platforms.target_scope, context_.problems);
  return platform_holds(*when, platforms.target) && arguments;
}

Verb StepReader::read_verb(const YamlNode& step, const YamlNode::Entry& main) {
  const std::string& verb = main.key.text;
  if (verb == "packages") return packages(step);
  if (verb == "copy") return copy(step, main);
  if (verb == "file") return file(step);
  if (verb == "dir")
    return DirStep{image_path_of(step, "dir"), owner_of(step),
                   mode_of(step, "mode").value_or(0755)};
  if (verb == "symlink")
    return SymlinkStep{image_path_of(step, "symlink"), text_of(step, "target"),
                       owner_of(step)};
  if (verb == "remove") return RemoveStep{texts_of(step, "remove")};
  if (verb == "attrs") return attrs(step);
  if (verb == "users") return users(step);
  if (verb == "run") return RunReader(context_).read(step, main);
  return groups(step);
}

std::string StepReader::archive_of(const YamlNode& step) {
  const YamlNode* name = step.find("from");
  if (!name || !name->is_scalar()) return "";
  const StepPlatforms& platforms = context_.platforms;
  if (context_.stages.has(name->text)) {
    context_.problems.error(offence(
        code::k_wrong_source, name->place(),
        fmt::format("`{}` is a stage; packages come from an apt source", name->text),
        "no packages here"));
    return "";
  }
  const auto found =
      context_.sources.use(*name, platforms.runs_on, platforms.runs_on_scope);
  if (!found) return "";
  if (!std::holds_alternative<AptSource>(found->source->kind)) {
    oci::Error error = offence(code::k_wrong_source, name->place(),
                               fmt::format("`{}` is {}; packages come from an apt source",
                                           name->text, kind_of(*found->source)),
                               "no packages here");
    error.also_at(found->source->place, "declared here");
    context_.problems.error(std::move(error));
  }
  return found->key;
}

Verb StepReader::packages(const YamlNode& step) {
  PackagesStep made;
  for (const YamlNode* item : scalars_of(step.find("packages"))) {
    auto request = parse_package(item->text);
    if (!request) continue;  // already reported
    request->place = item->place();
    made.packages.push_back(std::move(*request));
  }
  made.source = archive_of(step);
  made.recommends = flag_of(step, "recommends", false);
  made.run_scripts = text_of(step, "scripts") == "run";
  made.drop = texts_of(step, "drop");
  if (made.run_scripts) {
    made.unnormalised = read_unnormalised(step, context_.problems);
  } else if (const YamlNode* normalise = step.find("normalise")) {
    context_.problems.error(
        offence(code::k_bad_value, normalise->place(),
                "`normalise` cleans up after maintainer scripts, which do not run",
                "of no use without `scripts: run`"));
  }
  if (const YamlNode* keep = step.find("keep"))
    made.keep_locales = texts_of(*keep, "locales");
  return made;
}

Verb StepReader::copy(const YamlNode& step, const YamlNode::Entry& main) {
  CopyStep made;
  for (const YamlNode* item : scalars_of(&main.value)) {
    if (auto path = parse_source_path(item->text)) made.paths.push_back(std::move(*path));
  }
  const YamlNode* from = step.find("from");
  if (from && from->is_scalar()) {
    TreeName tree = tree_named(*from, context_);
    made.source = std::move(tree.name);
    made.of_stage = tree.of_stage;
  }
  made.to = image_path_of(step, "to");
  made.into = image_path_of(step, "into");
  made.include = texts_of(step, "include");
  made.exclude = texts_of(step, "exclude");
  made.keep_paths = flag_of(step, "keep-paths", false);
  made.owner = owner_of(step);
  made.mode = mode_of(step, "mode");
  made.dir_mode = mode_of(step, "dir-mode");
  made.unpack = flag_of(step, "unpack", false);
  check_destination(made, step, main);
  return made;
}

void StepReader::check_destination(const CopyStep& copy, const YamlNode& step,
                                   const YamlNode::Entry& main) {
  const YamlNode::Entry* to = step.find_entry("to");
  const YamlNode::Entry* into = step.find_entry("into");
  const std::string name =
      copy.paths.empty() || copy.paths[0] == "." || is_pattern(copy.paths[0])
          ? "app"
          : last_name(copy.paths[0]);
  if (!to == !into) {
    oci::Error error = offence(code::k_to_or_into, to ? into->key.place() : step.place(),
                               to ? "`copy` needs either `to` or `into`, not both"
                                  : "`copy` needs either `to` or `into`");
    error.add_hint(
        fmt::format("`to: /usr/bin/{0}` names the file; `into: /usr/bin` keeps "
                    "the name `{0}`",
                    name));
    return context_.problems.error(std::move(error));
  }
  const bool several =
      copy.paths.size() > 1 || (copy.paths.size() == 1 && is_pattern(copy.paths[0]));
  if (to && several) {
    oci::Error error =
        offence(code::k_to_or_into, main.value.place(),
                "`to` names one thing, and this may be several", "several paths");
    error.also_at(to->key.place(), "one name");
    error.add_hint(fmt::format("`into: {}` keeps their names", text_of(step, "to")));
    context_.problems.error(std::move(error));
  }
  const YamlNode::Entry* keep = step.find_entry("keep-paths");
  if (to && copy.keep_paths)
    context_.problems.error(offence(code::k_misplaced_field, keep->key.place(),
                                    "`keep-paths` goes with `into`, not with `to`"));
}

Verb StepReader::file(const YamlNode& step) {
  FileStep made{image_path_of(step, "file"), text_of(step, "text"), owner_of(step),
                mode_of(step, "mode").value_or(0644)};
  const YamlNode* text = step.find("text");
  if (text && text->is_scalar() && flag_of(step, "expand", false))
    made.text =
        context_.platforms.target_scope.expand(*text, context_.problems).value_or("");
  return made;
}

Verb StepReader::attrs(const YamlNode& step) {
  AttrsStep made;
  made.globs = texts_of(step, "attrs");
  const YamlNode* owner = step.find("owner");
  if (owner && owner->is_scalar())
    made.owner = context_.accounts.resolve(*owner, context_.problems);
  made.mode = mode_of(step, "mode");
  made.dir_mode = mode_of(step, "dir-mode");
  made.xattrs = xattrs_of(step);
  const bool says_what = step.find("owner") || step.find("mode") ||
                         step.find("dir-mode") || step.find("xattrs");
  if (!says_what) {
    oci::Error error = offence(code::k_missing_field, step.place(),
                               "`attrs` does not say what to change", "nothing changes");
    error.add_hint("add `owner`, `mode`, `dir-mode` or `xattrs`");
    context_.problems.error(std::move(error));
  }
  return made;
}

std::map<std::string, std::string> StepReader::xattrs_of(const YamlNode& step) {
  std::map<std::string, std::string> xattrs;
  for (const YamlNode::Entry& entry : entries_of(step, "xattrs")) {
    const std::string& name = entry.key.text;
    const std::string& written = entry.value.text;
    auto value = parse_xattr_value(written);
    const bool is_wrong =
        name == "security.capability" && !(value && is_capability(*value));
    if (entry.value.is_scalar() && (!value || is_wrong)) {
      oci::Error error = offence(code::k_bad_value, entry.value.place(),
                                 fmt::format("`{}` cannot be `{}`", name, written),
                                 value               ? "no capabilities of a file"
                                 : written[1] == 'x' ? "expected hex after `0x`"
                                                     : "expected base64 after `0s`");
      error.add_hint(fmt::format("`getfattr -n {} -e base64 FILE` prints one", name));
      context_.problems.error(std::move(error));
    }
    xattrs[name] = value.value_or("");
  }
  return xattrs;
}

Verb StepReader::users(const YamlNode& step) {
  UsersStep made;
  for (const YamlNode& item : items_of(step, "users")) {
    User user;
    user.name = text_of(item, "name");
    user.uid = id_of(item, "uid");
    const YamlNode* group = item.find("gid");
    user.gid = group && group->is_scalar()
                   ? context_.accounts.group_id(*group, context_.problems)
                   : user.uid;
    user.gecos = text_of(item, "gecos");
    if (item.find("home")) user.home = image_path_of(item, "home");
    if (item.find("shell")) user.shell = image_path_of(item, "shell");
    user.groups = texts_of(item, "groups");
    user.create_home = flag_of(item, "create-home", false);
    check_passwd_fields(item);
    check_home(item);
    if (user.name.empty()) continue;  // already reported
    context_.accounts.add(user, item, context_.problems);
    made.users.push_back(std::move(user));
  }
  return made;
}

// /etc/passwd is lines of fields between colons.
void StepReader::check_passwd_fields(const YamlNode& user) {
  for (const char* key : {"gecos", "home", "shell"}) {
    const YamlNode* value = user.find(key);
    if (!value || value->text.find_first_of(":\n") == std::string::npos) continue;
    context_.problems.error(
        offence(code::k_bad_value, value->place(),
                fmt::format("`{}` of a user is one line without `:`", key),
                "would break /etc/passwd"));
  }
}

void StepReader::check_home(const YamlNode& user) {
  const YamlNode::Entry* create = user.find_entry("create-home");
  if (!create || create->value.text != "true" || user.find("home")) return;
  oci::Error error = offence(code::k_missing_field, create->key.place(),
                             "`create-home` needs `home`", "makes which directory?");
  error.add_hint(fmt::format("add `home: /home/{}`", text_of(user, "name", "…")));
  context_.problems.error(std::move(error));
}

Verb StepReader::groups(const YamlNode& step) {
  GroupsStep made;
  for (const YamlNode& item : items_of(step, "groups")) {
    Group group{text_of(item, "name"), id_of(item, "gid"), texts_of(item, "members")};
    if (group.name.empty()) continue;  // already reported
    context_.accounts.add(group, item, context_.problems);
    made.groups.push_back(std::move(group));
  }
  return made;
}

Owner StepReader::owner_of(const YamlNode& step) {
  const YamlNode* owner = step.find("owner");
  if (!owner) owner = default_of(context_, "owner");
  return owner && owner->is_scalar()
             ? context_.accounts.resolve(*owner, context_.problems)
             : Owner{};
}

}  // namespace lithify
