#include "builder/frontend/schema.h"

#include "builder/frontend/policy_shape.h"
#include "builder/frontend/schema_parts.h"
#include "builder/frontend/yaml.h"

namespace lithify {

namespace {

// Scalars.
const Shape k_text = scalar(Type::text);
const Shape k_some_text = scalar(Type::some_text);
const Shape k_literal_text = literal(k_text);
const Shape k_boolean = scalar(Type::boolean);
const Shape k_mode = scalar(Type::mode);
const Shape k_owner = scalar(Type::owner);
const Shape k_id = scalar(Type::id);
const Shape k_group_ref = scalar(Type::group);
const Shape k_account = scalar(Type::account);
const Shape k_image_path = scalar(Type::image_path);
const Shape k_image_file = scalar(Type::image_file);
const Shape k_image_glob = scalar(Type::image_glob);
const Shape k_source_path = scalar(Type::source_path);
const Shape k_glob = scalar(Type::glob);
const Shape k_package = scalar(Type::package);
const Shape k_identifier = scalar(Type::identifier);
const Shape k_image_name = scalar(Type::image_name);
const Shape k_duration = scalar(Type::duration);
const Shape k_port = scalar(Type::port);
const Shape k_platform = scalar(Type::platform);
const Shape k_sha256 = scalar(Type::sha256);
const Shape k_epoch = scalar(Type::epoch);
const Shape k_url = scalar(Type::url);
const Shape k_signal = scalar(Type::signal);
const Shape k_image_ref = scalar(Type::image_ref);
const Shape k_sbom_file = scalar(Type::sbom_file);
const Shape k_repository = scalar(Type::repository);
const Shape k_nullable_text = nullable(scalar(Type::text));
const Shape k_version = literal(integer(1, 1));
const Shape k_strip = integer(0, 32);
const Shape k_retries = integer(0, 1'000'000);
const Shape k_budget = integer(1, 120);
const Shape k_scripts = choice({"skip", "run"});
const Shape k_modes = choice({"fixed", "keep", "git"});
const Shape k_mtime = choice({"epoch"});
const Shape k_arg_type = literal(choice({"string", "bool", "int", "enum"}));
const Shape k_literal_boolean = literal(k_boolean);
const Shape k_drop_item = choice({"docs", "man", "locales", "info"});
const Shape k_strategy = choice({"by-step", "single", "by-package"});
const Shape k_compression = choice({"zstd", "gzip", "none"});
const Shape k_source_platform = choice({"target", "build"});
const Shape k_script = literal(scalar(Type::some_text));
const Shape k_tag_rule = choice({"once", "move"});

// Lists and maps of them.
const Shape k_texts = list_of(k_text);
const Shape k_some_texts = some(list_of(k_some_text));
const Shape k_literal_texts = some(list_of(k_literal_text));
const Shape k_globs = list_of(k_glob);
const Shape k_image_globs = some(list_of(k_image_glob));
const Shape k_drop = list_of(k_drop_item);
const Shape k_accounts = list_of(k_account);
const Shape k_platforms = some(list_of(k_platform));
const Shape k_annotations = map_of(Type::some_text, k_text);
const Shape k_labels = map_of(Type::some_text, k_nullable_text);
const Shape k_xattrs = some(map_of(Type::xattr, k_text));
const Shape k_env = map_of(Type::variable, k_nullable_text);
const Shape k_program = {.form = Form::list, .item = &k_text, .program = true};
const Shape k_some_program = some(k_program);
const Shape k_words = {.form = Form::list, .item = &k_literal_text, .some = true};
const Shape k_command = {.form = Form::either, .item = &k_words, .shorthand = &k_script};
const Shape k_nullable_program = nullable(k_program);
const Shape k_ports = list_of(k_port);
const Shape k_image_paths = list_of(k_image_path);
const Shape k_packages = some(list_of(k_package));
const Shape k_source_paths = some(one_or_more(k_source_path));

const Shape k_arg = record({
    {"type", &k_arg_type, "What values it takes.", "enum with `values`, else string"},
    {"default", &k_literal_text, "The value when nobody gives one."},
    {"values", &k_literal_texts, "The only values it may have."},
    {"pattern", &k_literal_text, "A regular expression the whole value must match."},
    {"env", &k_text, "The environment variable that may give it."},
    {"required", &k_literal_boolean, "Whether somebody must give it.", "false"},
    {"description", &k_literal_text, "What it is for."},
});
const Shape k_args = map_of(Type::identifier, k_arg);

// Sources.
const SchemaField k_include = {"include", &k_globs,
                               "Take only what one of these patterns matches."};
const SchemaField k_exclude = {"exclude", &k_globs,
                               "Leave out what one of these patterns matches."};
const SchemaField k_source_sha256 = {"sha256", &k_sha256,
                                     "The SHA-256 the bytes must have."};
const Shape k_apt = record({
    {"uri", &k_url, "The archive's address.", "the machine's own mirror"},
    {"suites", &k_some_texts, "Such as `bookworm` and `bookworm-updates`.", "", true},
    {"components", &k_some_texts, "Such as `main` and `contrib`.", "[main]"},
    {"keys", &k_texts, "Keyrings that may sign the archive.", "Debian's own"},
    {"snapshot", nullptr, ""},
});
const Shape k_source = {
    .form = Form::variants,
    .noun = "source",
    .variants = {
        {{"local", &k_some_text, "A directory or file, relative to the build file."},
         {k_include,
          k_exclude,
          {"modes", &k_modes, "Where file modes come from.", "fixed"}}},
        {{"url", &k_url, "One file behind a URL, pinned by the lock."},
         {k_source_sha256}},
        {{"archive", &k_some_text,
          "An archive, a URL or a file; its content is the source."},
         {{"strip", &k_strip, "Leading directories to drop.", "0"},
          {"subdir", &k_source_path, "The part to take.", "all of it"},
          k_source_sha256}},
        {{"layout", &k_some_text, "An OCI image layout directory."},
         {{"tag", &k_text, "Which image of it.", "the only one"}}},
        {{"apt", &k_apt, "A Debian package archive."}, {}},
        {{"image", &k_image_ref, "An image in a registry, by tag or digest."},
         {{"platform", &k_source_platform,
           "For which platform: the image's, or the builder's own.", "target"},
          {"verify", &verification_shape(), "Whose signature the image must have."}}},
        {{"git", nullptr, ""}, {}},
        {{"apk", nullptr, ""}, {}},
    }};
const Shape k_sources = map_of(Type::identifier, k_source);

// Steps.
const Shape k_when_values = some(one_or_more(k_text));
const Shape k_when_args = map_of(Type::identifier, k_when_values);
const Shape k_when_platforms = some(one_or_more(k_platform));
const Shape k_when = record({
    {"platform", &k_when_platforms, "Only for one of these platforms."},
    {"arg", &k_when_args, "Only when each argument has one of its values."},
    {"matrix", nullptr, ""},
});
const Shape k_keep = record({{"locales", &k_texts, "Locales to keep.", "", true}});
const Shape k_user = record({
    {"name", &k_account, "Its name.", "", true},
    {"uid", &k_id, "Its number.", "", true},
    {"gid", &k_group_ref, "Its first group, a number or a declared name.", "uid"},
    {"gecos", &k_text, "The person's name."},
    {"home", &k_image_path, "Its home directory.", "/nonexistent"},
    {"shell", &k_image_path, "Its login shell.", "/usr/sbin/nologin"},
    {"groups", &k_accounts, "Further groups."},
    {"create-home", &k_boolean, "Whether to make the home directory.", "false"},
});
const Shape k_users = some(list_of(k_user));
const Shape k_group = record({
    {"name", &k_account, "Its name.", "", true},
    {"gid", &k_id, "Its number.", "", true},
    {"members", &k_accounts, "Its members."},
});
const Shape k_groups = some(list_of(k_group));

const SchemaField k_owner_field = {"owner", &k_owner,
                                   "`uid:gid`, or a name a step declared.", "0:0"};
SchemaField mode_field(std::string_view fallback) {
  return {"mode", &k_mode, "File mode, octal.", fallback};
}
const SchemaField k_dir_mode = {"dir-mode", &k_mode, "Mode of directories, octal."};

const Shape k_normalise = map_of(Type::identifier, k_boolean);
const Variant k_packages_step = {
    {"packages", &k_packages, "Debian packages, with what they depend on."},
    {{"from", &k_identifier, "The apt source.", "", true},
     {"recommends", &k_boolean, "Whether recommended packages come too.", "false"},
     {"scripts", &k_scripts, "Whether maintainer scripts run.", "skip"},
     {"drop", &k_drop, "Parts to leave out."},
     {"keep", &k_keep, "Exceptions from `drop`."},
     {"normalise", &k_normalise, "Clean-ups after scripts that are switched off."}}};
const Variant k_copy_step = {
    {"copy", &k_source_paths, "Paths or patterns in the source; `.` is all of it."},
    {{"from", &k_identifier, "The source.", "", true},
     {"to", &k_image_path, "What is copied becomes exactly this path."},
     {"into", &k_image_path, "What is copied keeps its name below this directory."},
     k_include,
     k_exclude,
     {"keep-paths", &k_boolean, "Keep directories of the source in `into`.", "false"},
     k_owner_field,
     mode_field("0644, or 0755 when executable"),
     k_dir_mode,
     {"unpack", &k_boolean, "Copy what is inside the archive.", "false"}}};
const Variant k_file_step = {
    {"file", &k_image_file, "A file with the given text."},
    {{"text", &k_literal_text, "The content.", "", true},
     {"expand", &k_boolean, "Whether `$(…)` in the text is replaced.", "false"},
     k_owner_field,
     mode_field("0644")}};
const Variant k_symlink_step = {
    {"symlink", &k_image_file, "A symbolic link."},
    {{"target", &k_some_text, "What it points to, as written.", "", true},
     k_owner_field}};
const Variant k_attrs_step = {
    {"attrs", &k_image_globs, "Change the attributes of what is there."},
    {k_owner_field,
     {"mode", &k_mode, "File mode, octal."},
     k_dir_mode,
     {"xattrs", &k_xattrs,
      "Extended attributes; a value is text, `0s` and base64, or `0x` and hex."}}};

// Commands.
const Shape k_network = choice({"none", "pinned"});
const Shape k_clock = choice({"real", "epoch"});
const Shape k_shell = some(list_of(k_some_text));
const SchemaField k_shell_field = {"shell", &k_shell, "What runs a script.",
                                   "[/bin/sh, -eu, -c]"};
const SchemaField k_env_field = {"env", &k_env,
                                 "Environment; `null` removes a variable."};
const SchemaField k_cwd_field = {"cwd", &k_image_path, "Where it starts.", "/"};
const SchemaField k_run_user_field = {"user", &k_owner,
                                      "Who runs it: `uid:gid`, or a name.", "0:0"};
const SchemaField k_mounts_field = {"mounts", &mounts_shape(),
                                    "What it sees beside the tree it runs in."};
const Variant k_run_step = {
    {"run", &k_command, "A script, or a command as a list of words, in a sandbox."},
    {k_shell_field,
     k_env_field,
     k_cwd_field,
     k_run_user_field,
     k_mounts_field,
     {"outputs", &k_image_paths, "The only paths that it changes.", "all"},
     {"network", &k_network,
      "`pinned`: it may use the network, and the lock holds the digest of its outputs.",
      "none"},
     {"timeout", &k_duration, "How long it may take."},
     {"clock", &k_clock, "What time it sees.", "real"},
     {"limits", &limits_shape(), "What it may use."},
     {"normalise", &k_normalise, "Clean-ups of its result that are switched off."}}};

const Shape k_step = {
    .form = Form::variants,
    .noun = "step",
    .fields = {{"name", &k_text,
                "What progress and messages call the step; history does not."},
               {"layer", &k_text, "Neighbours with the same word share a layer."},
               {"when", &k_when, "Conditions; all must hold."},
               {"mtime", &k_mtime,
                "`epoch` gives what the step makes the build's epoch as its time.",
                "1980-01-01"}},
    .variants = {
        k_packages_step,
        k_copy_step,
        k_file_step,
        {{"dir", &k_image_path, "A directory."}, {k_owner_field, mode_field("0755")}},
        k_symlink_step,
        {{"remove", &k_image_globs, "Remove what these patterns match."}, {}},
        k_attrs_step,
        {{"users", &k_users, "Add users."}, {}},
        {{"groups", &k_groups, "Add groups."}, {}},
        k_run_step,
    }};
const Shape k_steps = list_of(k_step);

// Images.
const Shape k_healthcheck = nullable(record({
    {"test", &k_some_program, "The command; exit status 0 is healthy.", "", true},
    {"interval", &k_duration, "Time between two checks."},
    {"timeout", &k_duration, "How long a check may take."},
    {"start-period", &k_duration, "Time to start up in."},
    {"retries", &k_retries, "Failures in a row until it is unhealthy."},
}));
const Shape k_config = record({
    {"inherit", &k_boolean, "Whether the base's configuration is kept.", "true"},
    {"entrypoint", &k_nullable_program, "The program; `null` clears it."},
    {"cmd", &k_nullable_program, "Its default arguments; `null` clears them."},
    {"env", &k_env, "Environment; `null` removes a variable."},
    {"user", &k_text, "Who runs it: `uid:gid` or a name in the image."},
    {"workdir", &k_image_path, "Where it starts."},
    {"ports", &k_ports, "Ports it listens on."},
    {"volumes", &k_image_paths, "Directories for data that outlives it."},
    {"labels", &k_labels, "Labels; `null` removes one."},
    {"stop-signal", &k_signal, "The signal that asks it to stop."},
    {"healthcheck", &k_healthcheck, "How to see that it works; `null` for not at all."},
});
const Shape k_layering_record = record({
    {"strategy", &k_strategy, "How steps become layers.", "by-step"},
    {"budget", &k_budget, "The most layers of the image's own.", "120"},
    {"compression", &k_compression, "How layers are compressed.", "zstd"},
});
const Shape k_layering = {
    .form = Form::either, .item = &k_layering_record, .shorthand = &k_strategy};
const Shape k_defaults = record({
    {"owner", &k_owner, "Owner of what steps make.", "0:0"},
    k_env_field,
    k_cwd_field,
    k_run_user_field,
    k_shell_field,
    k_mounts_field,
});
const Shape k_stage = {
    .form = Form::record,
    .noun = "stage",
    .fields = {
        {"description", &k_text, "What the stage is for."},
        {"from", &k_text,
         "`scratch`, an image or layout source, a stage, or `image:<name>`.", "", true},
        {"platform", &k_source_platform,
         "Where its commands run: the image's platform, or the builder's own.", "target"},
        {"defaults", &k_defaults, "Defaults for steps."},
        {"steps", &k_steps, "What is done in it, in order."},
    }};
const Shape k_stages = map_of(Type::identifier, k_stage);
const Shape k_output = {
    .form = Form::variants,
    .noun = "output",
    .variants = {
        {{"oci", &k_some_text, "An OCI image layout directory."}, {}},
        {{"oci-archive", &k_some_text, "An OCI image layout in a tar file."}, {}},
        {{"docker-archive", &k_some_text, "What `docker load` reads."}, {}},
        {{"rootfs", &k_some_text, "The file tree as a directory."}, {}},
        {{"tar", &k_some_text, "The file tree as a tar file."}, {}},
        {{"erofs", nullptr, ""}, {}},
        {{"sbom", &k_sbom_file, "What is in it: `….spdx.json` or `….cdx.json`."}, {}},
    }};
const Shape k_outputs = list_of(k_output);
const Shape k_push_when = record({
    {"arg", &k_when_args, "Only when each argument has one of its values."},
    {"platform", nullptr, "one push is one index of all platforms"},
    {"matrix", nullptr, ""},
});
const Shape k_tags = with_expanded_keys(map_of(Type::image_tag, k_tag_rule));
const Shape k_push_target = record({
    {"repo", &k_repository, "The repository, without tag or digest.", "", true},
    {"tags", &k_tags,
     "Tags: `once` is written and never changed, `move` is moved by each push.",
     "none, by digest alone"},
    {"when", &k_push_when, "Conditions; all must hold."},
    {"compression", nullptr, ""},
});
const Shape k_push = list_of(k_push_target);
const Shape k_keys = some(one_or_more(k_some_text));
const Shape k_claim = choice({"sbom-spdx", "sbom-cyclonedx", "provenance"});
const Shape k_claims = list_of(k_claim);
const Shape k_sign_form = choice({"both", "classic", "bundle"});
const Shape k_sign = nullable(record({
    {"key", &k_keys,
     "Keys that sign: a file, `env://VARIABLE`, or `NAME://ID` for one that the program "
     "sigstore-kms-NAME keeps.",
     "", true},
    {"attest", &k_claims, "What is said about the image, and signed too.", "nothing"},
    {"format", &k_sign_form,
     "`classic` for cosign 2 and podman, `bundle` for cosign 3, or both.", "both"},
    {"mirror-att", &k_boolean,
     "Whether attestations also go where cosign 2 looks for them.", "false"},
    {"index-att", &k_boolean,
     "Whether attestations also become members of the index that is pushed, where "
     "`docker buildx imagetools` looks for them: its digest is then another one than "
     "that "
     "of the image alone.",
     "false"},
    {"keyless", nullptr, ""},
}));

const Shape k_image = {
    .form = Form::record,
    .noun = "image",
    .fields = {
        {"description", &k_text, "What the image is."},
        {"from", &k_text,
         "`scratch`, an image or layout source, a stage, or `image:<name>`.", "", true},
        {"platforms", &k_platforms, "Platforms to build for.", "those of the file"},
        {"defaults", &k_defaults, "Defaults for steps."},
        {"steps", &k_steps, "What is put into the image, in order."},
        {"config", &k_config, "How the image runs."},
        {"annotations", &k_annotations, "Annotations of the image's manifest."},
        {"layering", &k_layering, "How steps become layers.", "by-step"},
        {"outputs", &k_outputs, "Where the image goes.", "those of the file"},
        {"platform", nullptr, "an image has `platforms`"},
        {"matrix", nullptr, ""},
        {"name", nullptr, ""},
        {"tests", &tests_shape(), "What the built image is held to."},
        {"policy", &build_policy_shape(), "What a build is held to.", "that of the file"},
        {"sign", &k_sign, "What a push signs; `null` for nothing.", "that of the file"},
        {"push", &k_push, "Registries the image is pushed to.", "those of the file"},
    }};
const Shape k_images = some(map_of(Type::image_name, k_image));

const Shape k_file = record({
    {"lithify", &k_version, "The version of the language: 1.", "", true},
    {"project", &k_image_name, "The project's name.", "the directory's name"},
    {"args", &k_args, "Arguments, the only variables."},
    {"epoch", &k_epoch, "The image's time of creation.", "the commit's time"},
    {"platforms", &k_platforms, "Platforms to build for.", "the builder's own"},
    {"sources", &k_sources, "Every byte that comes from outside."},
    {"image", &k_image, "The image, when there is one."},
    {"images", &k_images, "The images, when there are several."},
    {"outputs", &k_outputs, "Where images go that do not say so themselves."},
    {"include", nullptr, ""},
    {"stages", &k_stages, "Rooms to build in: what they hold is copied and mounted."},
    {"policy", &build_policy_shape(), "What the builds of images are held to."},
    {"sign", &k_sign, "What a push signs of images that do not say so themselves."},
    {"push", &k_push, "Where images are pushed that do not say so themselves."},
});

}  // namespace

const Shape& file_shape() {
  return k_file;
}
const Shape& source_shape() {
  return k_source;
}
const Shape& image_shape() {
  return k_image;
}
const Shape& step_shape() {
  return k_step;
}
const Shape& stage_shape() {
  return k_stage;
}

const Variant* variant_of(const Shape& shape, const YamlNode& map) {
  for (const Variant& variant : shape.variants) {
    if (map.find(variant.main.name)) return &variant;
  }
  return nullptr;
}

}  // namespace lithify
