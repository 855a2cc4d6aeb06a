// schema: what may stand in a build file. One table, from which the checks of a file, the
// suggestions for misspelt fields and the JSON Schema for editors are made.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

struct YamlNode;

// What a scalar means.
enum class Type {
  text,
  some_text,  // not empty
  boolean,
  integer,
  mode,
  owner,
  account,
  group,
  id,
  image_path,
  image_file,  // an image_path other than the root
  image_glob,
  source_path,
  glob,
  package,
  identifier,
  image_name,
  duration,
  port,
  platform,
  sha256,
  epoch,
  url,
  signal,
  variable,
  xattr,  // the name of an extended attribute
  image_ref,
  repository,
  image_tag,
  sbom_file,
  size,
};

// "an octal mode such as 0644"
std::string_view expectation(Type type);
// Why the text is not of that type; nullopt if it is.
std::optional<std::string> misfit(Type type, std::string_view text);

struct Shape;

struct SchemaField {
  std::string_view name;
  // nullptr: part of the language, not built by this version; or, with a description, no
  // part of it here, and the description says why.
  const Shape* shape;
  std::string_view description;
  std::string_view fallback = "";  // the default, for people
  bool required = false;
};

// One way to write a step, source or output: its main key and what may stand beside it.
struct Variant {
  SchemaField main;
  std::vector<SchemaField> modifiers;
};

struct Shape {
  enum class Form { scalar, list, map, record, variants, either };
  Form form = Form::scalar;
  std::string_view noun =
      "";  // "step"; shapes with one are definitions of the JSON Schema

  Type type = Type::text;                      // scalar; of the keys of a map
  std::vector<std::string_view> choices = {};  // scalar: these alone
  std::vector<std::string_view> later = {};    // choices that are not built yet
  std::int64_t min = 0;                        // integer
  std::int64_t max = 0;                        // integer
  bool literal = false;                        // scalar: $(…) is text like any other
  bool expand_keys = false;                    // map: $(…) in a key is replaced
  bool nullable = false;

  const Shape* item = nullptr;       // list, map: of the values; either: when no scalar
  const Shape* shorthand = nullptr;  // either: when a scalar
  bool some = false;                 // list, map: not empty
  bool one_is_list = false;          // list: one scalar stands for a list of one
  bool program = false;              // list: a command line, never a string

  std::vector<SchemaField> fields = {};  // record; variants: those that fit every variant
  std::vector<Variant> variants = {};
};

// The whole file.
const Shape& file_shape();
// The parts that are read by themselves.
const Shape& source_shape();
const Shape& image_shape();
const Shape& step_shape();
const Shape& stage_shape();
const Shape& test_shape();

// The variant whose main key the map has; nullptr if it has none.
const Variant* variant_of(const Shape& shape, const YamlNode& map);

}  // namespace lithify
