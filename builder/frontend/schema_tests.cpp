#include "builder/frontend/schema_parts.h"

namespace lithify {

namespace {

const Shape k_text = scalar(Type::text);
const Shape k_some_text = scalar(Type::some_text);
const Shape k_literal_text = literal(k_text);
const Shape k_literal_some_text = literal(k_some_text);
const Shape k_mode = scalar(Type::mode);
const Shape k_owner = scalar(Type::owner);
const Shape k_image_path = scalar(Type::image_path);
const Shape k_image_glob = scalar(Type::image_glob);
const Shape k_duration = scalar(Type::duration);
const Shape k_size = scalar(Type::size);
const Shape k_platform = scalar(Type::platform);
const Shape k_exit = integer(0, 255);
const Shape k_file_type = choice({"file", "dir", "symlink"});
const Shape k_elf = choice({"static", "dynamic"});

const Shape k_words = {.form = Form::list, .item = &k_literal_text, .some = true};
const Shape k_command = {
    .form = Form::either, .item = &k_words, .shorthand = &k_literal_some_text};
const Shape k_shell = some(list_of(k_some_text));
const Shape k_env = map_of(Type::variable, k_text);
const Shape k_image_globs = some(list_of(k_image_glob));
const Shape k_some_texts = some(one_or_more(k_some_text));

const Shape k_rules_record = record({
    {"contains", &k_some_texts, "What it has somewhere, one or several."},
    {"equals", &k_text, "What it is, all of it."},
    {"matches", &k_some_texts, "Regular expressions that some part of it fits."},
});
const Shape k_rules = {
    .form = Form::either, .item = &k_rules_record, .shorthand = &k_text};
const Shape k_expect = record({
    {"exit", &k_exit, "The exit status.", "0"},
    {"stdout", &k_rules, "What it prints; text alone is all of it."},
    {"stderr", &k_rules, "What it prints as errors."},
});
const Shape k_file = record({
    {"type", &k_file_type, "What it is.", "anything that is there"},
    {"mode", &k_mode, "Its mode, octal."},
    {"owner", &k_owner, "`uid:gid`, or a name a step declared."},
    {"text", &k_rules, "Its content; with `type: symlink` where it leads."},
    {"elf", &k_elf, "How the program is linked."},
});
const Shape k_files = some(map_of(Type::image_path, k_file));
const Shape k_max_size = record({{"max", &k_size, "Of all files.", "", true}});
const Shape k_waiver = record({{"reason", &k_some_text, "Why.", "", true}});
const Shape k_values = some(one_or_more(k_text));
const Shape k_when_args = map_of(Type::identifier, k_values);
const Shape k_when_platforms = some(one_or_more(k_platform));
const Shape k_when = record({
    {"platform", &k_when_platforms, "Only for one of these platforms."},
    {"arg", &k_when_args, "Only when each argument has one of its values."},
    {"matrix", nullptr, ""},
});

const Shape k_test = {
    .form = Form::variants,
    .noun = "test",
    .fields = {{"name", &k_text, "What reports call the test."},
               {"when", &k_when, "Conditions; all must hold."},
               {"waiver", &k_waiver, "Why a push goes on when the test fails."}},
    .variants = {
        {{"run", &k_command, "A command in the image, without network."},
         {{"expect", &k_expect, "What comes of it.", "exit status 0"},
          {"shell", &k_shell, "What runs a script.", "[/bin/sh, -eu, -c]"},
          {"env", &k_env, "Environment over the image's."},
          {"cwd", &k_image_path, "Where it starts.", "the image's `workdir`"},
          {"user", &k_owner, "Who runs it: `uid:gid`, or a name.", "the image's `user`"},
          {"timeout", &k_duration, "How long it may take.", "10m"}}},
        {{"files", &k_files, "Files by their paths, and what they are."}, {}},
        {{"absent", &k_image_globs, "Patterns that no file matches."}, {}},
        {{"size", &k_max_size, "How large the image's tree is."}, {}},
        {{"structure-test", &k_some_text,
          "A file of container-structure-test, version 2.0.0."},
         {}},
    }};
const Shape k_tests = list_of(k_test);

}  // namespace

const Shape& tests_shape() {
  return k_tests;
}
const Shape& test_shape() {
  return k_test;
}

}  // namespace lithify
