// schema_parts: how the tables of the schema are written. Their shapes hold addresses of
// each other, so the order in which files are initialised does not matter.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "builder/frontend/schema.h"

namespace lithify {

using Form = Shape::Form;

inline Shape scalar(Type type) {
  return {.type = type};
}
inline Shape choice(std::vector<std::string_view> choices,
                    std::vector<std::string_view> later = {}) {
  return {.choices = std::move(choices), .later = std::move(later)};
}
inline Shape integer(std::int64_t min, std::int64_t max) {
  return {.type = Type::integer, .min = min, .max = max};
}
inline Shape list_of(const Shape& item) {
  return {.form = Form::list, .item = &item};
}
inline Shape one_or_more(const Shape& item) {
  return {.form = Form::list, .item = &item, .one_is_list = true};
}
inline Shape map_of(Type keys, const Shape& value) {
  return {.form = Form::map, .type = keys, .item = &value};
}
inline Shape record(std::vector<SchemaField> fields) {
  return {.form = Form::record, .fields = std::move(fields)};
}
inline Shape nullable(Shape shape) {
  shape.nullable = true;
  return shape;
}
inline Shape with_expanded_keys(Shape map) {
  map.expand_keys = true;
  return map;
}
// At least one.
inline Shape some(Shape list) {
  list.some = true;
  return list;
}
inline Shape literal(Shape scalar) {
  scalar.literal = true;
  return scalar;
}

// Of `tests`, in schema_tests.cpp.
const Shape& tests_shape();
// Of parts of a run step and of what builds are held to, in schema_commands.cpp.
const Shape& mounts_shape();
const Shape& limits_shape();
const Shape& build_policy_shape();

}  // namespace lithify
