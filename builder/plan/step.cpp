#include "builder/plan/step.h"

#include "builder/plan/key.h"

namespace lithify {

namespace {

// Raised when an executor's result for the same document changes; old entries of the step
// cache are then simply never found again.
constexpr std::uint64_t k_key_version = 3;

// Names every field of an action or operation. A new field belongs here in the same
// commit: tests/builder/plan/step_test.cpp changes each field and wants another key.
class Namer {
 public:
  explicit Namer(KeyDocument& to) : to_(to) {}

  void operator()(const Fetch& fetch) {
    // `location` says where to look; the digest says what it is.
    to_.field("operation", "fetch")
        .field("expected", fetch.expected.str())
        .field("size", fetch.size)
        .field("file_name", fetch.file_name);
  }
  void operator()(const Import& import) {
    to_.field("operation", "import")
        .field("path", import.path)
        .field("include", import.include)
        .field("exclude", import.exclude)
        .field("modes", static_cast<std::uint64_t>(import.modes));
  }
  void operator()(const Edit& edit) {
    to_.field("operation", "edit").field("mtime", edit.mtime).field("clamp", edit.clamp);
    for (const auto& action : edit.actions)
      std::visit(*this, action);
  }
  void operator()(const Run& run) {
    const RunStep& what = run.what;
    to_.field("operation", "run")
        .field("argv", what.argv)
        .field("env", what.env)
        .field("unset", what.unset)
        .field("cwd", what.cwd)
        .field("user", what.user)
        .field("outputs", what.outputs)
        .field("network", static_cast<std::uint64_t>(what.network))
        .field("clock", static_cast<std::uint64_t>(what.clock))
        .field("memory", what.limits.memory)
        .field("cpus", what.limits.cpus)
        .field("pids", what.limits.pids)
        .field("time", what.limits.time)
        .field("timeout", what.limits.timeout)
        .field("unnormalised", what.unnormalised)
        .field("pinned", run.pinned)
        .field("mtime", run.mtime)
        .field("epoch", run.epoch)
        .field("maintainer_scripts", run.maintainer_scripts)
        .field("mounts", std::uint64_t{what.mounts.size()});
    for (const RunMount& mount : what.mounts)
      name(mount);
    to_.field("mount_inputs", std::uint64_t{run.mount_inputs.size()});
    for (const InputIndex input : run.mount_inputs)
      to_.field("mount_input", std::uint64_t{input});
  }

  void operator()(const CopyAction& action) {
    const CopyStep& what = action.what;
    to_.field("action", "copy")
        .field("input", std::uint64_t{action.input})
        .field("paths", what.paths)
        .field("to", what.to)
        .field("into", what.into)
        .field("include", what.include)
        .field("exclude", what.exclude)
        .field("keep_paths", what.keep_paths)
        .field("mode", what.mode)
        .field("dir_mode", what.dir_mode)
        .field("unpack", what.unpack);
    name(what.owner);
  }
  void operator()(const UnpackAction& action) {
    to_.field("action", "unpack")
        .field("input", std::uint64_t{action.input})
        .field("strip", static_cast<std::int64_t>(action.strip))
        .field("subdir", action.subdir)
        .field("sha256", action.sha256)
        .field("tree", action.tree);
  }
  void operator()(const UnpackDebAction& action) {
    to_.field("action", "unpack-deb")
        .field("input", std::uint64_t{action.input})
        .field("package", action.package);
  }
  void operator()(const InstallDebianAction& action) {
    to_.field("action", "install-debian")
        .field("first", std::uint64_t{action.first})
        .field("packages", action.packages)
        .field("architecture", action.architecture)
        .field("drop", action.drop)
        .field("keep_locales", action.keep_locales);
  }
  void operator()(const BootstrapDebianAction& action) {
    to_.field("action", "bootstrap-debian");
    name(action.set);
  }
  void operator()(const ArrangeDebianAction& action) {
    to_.field("action", "arrange-debian");
    name(action.set);
  }
  void operator()(const DropPackagedAction& action) {
    to_.field("action", "drop-packaged")
        .field("first", std::uint64_t{action.first})
        .field("count", std::uint64_t{action.count})
        .field("drop", action.drop)
        .field("keep_locales", action.keep_locales);
  }
  void operator()(const UnpackLayerAction& action) {
    to_.field("action", "unpack-layer")
        .field("input", std::uint64_t{action.input})
        .field("diff_id", action.diff_id.str());
  }
  void operator()(const WriteAction& action) {
    to_.field("action", "write")
        .field("path", action.what.path)
        .field("text", action.what.text)
        .field("mode", action.what.mode);
    name(action.what.owner);
  }
  void operator()(const MakeDirectoryAction& action) {
    to_.field("action", "directory")
        .field("path", action.what.path)
        .field("mode", action.what.mode);
    name(action.what.owner);
  }
  void operator()(const SymlinkAction& action) {
    to_.field("action", "symlink")
        .field("path", action.what.path)
        .field("target", action.what.target);
    name(action.what.owner);
  }
  void operator()(const RemoveAction& action) {
    to_.field("action", "remove").field("globs", action.what.globs);
  }
  void operator()(const SetAttributesAction& action) {
    to_.field("action", "attributes")
        .field("globs", action.what.globs)
        .field("mode", action.what.mode)
        .field("dir_mode", action.what.dir_mode)
        .field("xattrs", action.what.xattrs)
        .field("owner?", action.what.owner.has_value());
    if (action.what.owner) name(*action.what.owner);
  }
  void operator()(const AddUsersAction& action) {
    to_.field("action", "users");
    for (const User& user : action.what.users) {
      to_.field("name", user.name)
          .field("uid", user.uid)
          .field("gid", user.gid)
          .field("gecos", user.gecos)
          .field("home", user.home)
          .field("shell", user.shell)
          .field("groups", user.groups)
          .field("create_home", user.create_home);
    }
  }
  void operator()(const MergeAction&) { to_.field("action", "merge"); }
  void operator()(const AddGroupsAction& action) {
    to_.field("action", "groups");
    for (const Group& group : action.what.groups) {
      to_.field("name", group.name)
          .field("gid", group.gid)
          .field("members", group.members);
    }
  }

 private:
  // Where a tree comes from is in its digest; of caches and secrets the name alone
  // counts.
  void name(const RunMount& mount) {
    to_.field("kind", static_cast<std::uint64_t>(mount.kind))
        .field("path", mount.path)
        .field("id", mount.id)
        .field("at", mount.at)
        .field("env", mount.env)
        .field("write", mount.write)
        .field("share", static_cast<std::uint64_t>(mount.share))
        .field("size", mount.size);
  }
  void name(const DebianSet& set) {
    to_.field("first", std::uint64_t{set.first})
        .field("packages", set.packages)
        .field("architecture", set.architecture);
  }
  void name(const Owner& owner) { to_.field("uid", owner.uid).field("gid", owner.gid); }

  KeyDocument& to_;
};

}  // namespace

std::string key_document(const Step& step, std::span<const oci::Digest> inputs) {
  KeyDocument document;
  document.field("key-version", k_key_version).field("platform", step.platform.str());
  std::visit(Namer(document), step.operation);
  document.field("below", std::uint64_t{step.below}).field("on_base", step.on_base);
  document.field("inputs", std::uint64_t{inputs.size()});
  for (const auto& input : inputs)
    document.field("input", input.str());
  return document.text();
}

oci::Digest step_key(const Step& step, std::span<const oci::Digest> inputs) {
  return oci::Digest::of(key_document(step, inputs));
}

}  // namespace lithify
