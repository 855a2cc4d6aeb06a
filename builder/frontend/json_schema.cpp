#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/frontend/lithify_file.h"
#include "builder/frontend/schema.h"

namespace lithify {

namespace {

using nlohmann::json;
using Form = Shape::Form;

// What an editor can check of a scalar. Everything may also be a text with a reference.
json scalar_schema(Type type) {
  switch (type) {
    case Type::boolean:
      return {{"type", json::array({"boolean", "string"})},
              {"pattern", "^(true|false)$|\\$\\("}};
    case Type::integer:
    case Type::id:
      return {{"type", json::array({"integer", "string"})},
              {"pattern", "^[0-9]+$|\\$\\("}};
    case Type::mode:
      return {{"type", json::array({"integer", "string"})},
              {"pattern", "^[0-7]{1,5}$|\\$\\("}};
    case Type::image_path:
    case Type::image_file:
      return {{"type", "string"}, {"pattern", "^/|\\$\\("}};
    case Type::duration:
      return {{"type", "string"}, {"pattern", "^([0-9]+(h|m|s|ms))+$|\\$\\("}};
    case Type::size:
      return {{"type", json::array({"integer", "string"})},
              {"pattern", "^[0-9]+(B|[kMGT]B|[KMGT]iB)?$|\\$\\("}};
    case Type::port:
      return {{"type", json::array({"integer", "string"})},
              {"pattern", "^[0-9]+(/(tcp|udp|sctp))?$|\\$\\("}};
    case Type::platform:
      return {{"type", "string"},
              {"pattern", "^[a-z0-9]+/[a-z0-9_]+(/v[0-9]+)?$|\\$\\("}};
    case Type::sha256:
      return {{"type", "string"}, {"pattern", "^(sha256:)?[0-9a-f]{64}$|\\$\\("}};
    case Type::url:
      return {{"type", "string"}, {"pattern", "^https?://|\\$\\("}};
    case Type::text:
    case Type::some_text:
    case Type::owner:
    case Type::group:
    case Type::epoch:
    case Type::signal:
      return {{"type", json::array({"string", "number", "boolean"})}};
    default:
      return {{"type", json::array({"string", "number"})}};
  }
}

class SchemaMaker {
 public:
  json make(const Shape& file) {
    json schema = inline_schema(file);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    schema["title"] = "lithify.yaml";
    schema["definitions"] = definitions_;
    return schema;
  }

 private:
  json schema_of(const Shape& shape) {
    if (shape.noun.empty()) return nullable(inline_schema(shape), shape);
    const std::string name(shape.noun);
    if (!definitions_.contains(name)) definitions_[name] = inline_schema(shape);
    return {{"$ref", "#/definitions/" + name}};
  }

  static json nullable(json schema, const Shape& shape) {
    if (!shape.nullable) return schema;
    return {{"anyOf", json::array({std::move(schema), {{"type", "null"}}})}};
  }

  json inline_schema(const Shape& shape) {
    switch (shape.form) {
      case Form::scalar:
        return scalar(shape);
      case Form::list:
        return list(shape);
      case Form::map:
        return {{"type", "object"}, {"additionalProperties", schema_of(*shape.item)}};
      case Form::either:
        return {{"anyOf",
                 json::array({schema_of(*shape.shorthand), schema_of(*shape.item)})}};
      case Form::record:
        return record(shape);
      case Form::variants:
        return variants(shape);
    }
    return json::object();
  }

  static json scalar(const Shape& shape) {
    if (shape.choices.empty()) {
      json schema = scalar_schema(shape.type);
      if (shape.type == Type::integer) {
        schema["minimum"] = shape.min;
        schema["maximum"] = shape.max;
      }
      return schema;
    }
    json choices = json::array();
    for (const std::string_view choice : shape.choices)
      choices.push_back(choice);
    return {{"anyOf", json::array({{{"enum", choices}},
                                   {{"type", "string"}, {"pattern", "\\$\\("}}})}};
  }

  json list(const Shape& shape) {
    const json item = schema_of(*shape.item);
    json list = {{"type", "array"}, {"items", item}};
    if (shape.some) list["minItems"] = 1;
    return shape.one_is_list ? json{{"anyOf", json::array({item, list})}} : list;
  }

  void add_field(json& schema, const SchemaField& field) {
    if (!field.shape) return;
    std::string description(field.description);
    if (!field.fallback.empty())
      description += fmt::format(" Default: {}.", field.fallback);
    const json value = schema_of(*field.shape);
    // Beside "$ref" draft-07 reads nothing else.
    json property =
        value.contains("$ref") ? json{{"allOf", json::array({value})}} : value;
    property["description"] = description;
    property["markdownDescription"] = description;
    schema["properties"][std::string(field.name)] = std::move(property);
    if (field.required) schema["required"].push_back(field.name);
  }

  static json closed_object() {
    return {{"type", "object"},
            {"properties", json::object()},
            {"additionalProperties", false}};
  }

  json record(const Shape& shape) {
    json schema = closed_object();
    for (const SchemaField& field : shape.fields)
      add_field(schema, field);
    return schema;
  }

  json variants(const Shape& shape) {
    json all = json::array();
    for (const Variant& variant : shape.variants) {
      if (!variant.main.shape) continue;
      json schema = closed_object();
      add_field(schema, variant.main);
      schema["required"].push_back(variant.main.name);
      for (const SchemaField& field : variant.modifiers)
        add_field(schema, field);
      for (const SchemaField& field : shape.fields)
        add_field(schema, field);
      all.push_back(std::move(schema));
    }
    return {{"oneOf", std::move(all)}};
  }

  json definitions_ = json::object();
};

}  // namespace

std::string json_schema() {
  return SchemaMaker().make(file_shape()).dump(2) + "\n";
}

}  // namespace lithify
