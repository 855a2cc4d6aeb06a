#include "builder/frontend/schema_parts.h"

namespace lithify {

namespace {

const Shape k_boolean = scalar(Type::boolean);
const Shape k_identifier = scalar(Type::identifier);
const Shape k_image_file = scalar(Type::image_file);
const Shape k_source_path = scalar(Type::source_path);
const Shape k_duration = scalar(Type::duration);
const Shape k_cpus = integer(1, 1024);
const Shape k_pids = integer(1, 4'194'304);
const Shape k_rebuild_check = choice({"never", "on-push", "always"});

const Shape k_share = choice({"shared", "locked", "private"});
const Shape k_variable = scalar(Type::variable);
const Shape k_size = scalar(Type::size);
const SchemaField k_mount_at = {"at", &k_image_file, "Where it is in the sandbox.", "",
                                true};
const Shape k_mount = {
    .form = Form::variants,
    .noun = "mount",
    .variants = {
        {{"from", &k_identifier, "A source or a stage."},
         {{"path", &k_source_path, "The part of it to mount.", "all of it"},
          k_mount_at,
          {"write", &k_boolean,
           "Whether it may be written to; what is written is thrown away.", "false"}}},
        {{"cache", &k_identifier, "A directory that outlives the build, by its name."},
         {k_mount_at,
          {"share", &k_share,
           "What steps that want it at once do: share it, wait, or use one of their own.",
           "shared"}}},
        {{"secret", &k_identifier, "What `--secret` gives by this name."},
         {{"at", &k_image_file, "The file that holds it."},
          {"env", &k_variable, "The variable that holds it."}}},
        {{"tmp", &k_image_file, "An empty directory, gone when the command is done."},
         {{"size", &k_size, "The most it may hold.", "a share of the memory"}}},
    }};
const Shape k_mounts = list_of(k_mount);
const Shape k_limits = record({
    {"memory", &k_size, "The most memory the command may use."},
    {"cpus", &k_cpus, "How many processors it sees."},
    {"pids", &k_pids, "The most processes and threads at once."},
    {"time", &k_duration, "The most processor time of one process."},
});
const Shape k_policy = record({
    {"rebuild-check", &k_rebuild_check, "When commands are run twice and compared.",
     "never"},
    {"root-user", nullptr, ""},
    {"setuid", nullptr, ""},
    {"network-steps", nullptr, ""},
    {"unlocked", nullptr, ""},
    {"bases", nullptr, ""},
    {"licenses", nullptr, ""},
    {"secrets", nullptr, ""},
    {"layers", nullptr, ""},
});

}  // namespace

const Shape& mounts_shape() {
  return k_mounts;
}
const Shape& limits_shape() {
  return k_limits;
}
const Shape& build_policy_shape() {
  return k_policy;
}

}  // namespace lithify
