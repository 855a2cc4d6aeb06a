// schema: the table that checks, suggestions and editors share.
#include "builder/frontend/schema.h"

#include <set>

#include <nlohmann/json.hpp>

#include "tests/builder/frontend/reading.h"

using namespace lithify;
using nlohmann::json;

namespace {

void check_shape_of(const Shape& shape, std::set<const Shape*>& seen);

void check_fields(const std::vector<SchemaField>& fields, std::set<const Shape*>& seen) {
  std::set<std::string_view> names;
  for (const SchemaField& field : fields) {
    INFO(field.name);
    CHECK(names.insert(field.name).second);
    if (!field.shape) continue;
    CHECK(field.description.ends_with('.'));
    CHECK_FALSE((field.required && !field.fallback.empty()));
    check_shape_of(*field.shape, seen);
  }
}

void check_shape_of(const Shape& shape, std::set<const Shape*>& seen) {
  if (!seen.insert(&shape).second) return;
  const bool has_items = shape.form == Shape::Form::list ||
                         shape.form == Shape::Form::map ||
                         shape.form == Shape::Form::either;
  CHECK(has_items == (shape.item != nullptr));
  CHECK((shape.form == Shape::Form::either) == (shape.shorthand != nullptr));
  CHECK((shape.form == Shape::Form::variants) == !shape.variants.empty());
  if (shape.item) check_shape_of(*shape.item, seen);
  check_fields(shape.fields, seen);
  for (const Variant& variant : shape.variants) {
    std::vector<SchemaField> all = variant.modifiers;
    all.push_back(variant.main);
    all.insert(all.end(), shape.fields.begin(), shape.fields.end());
    check_fields(all, seen);
  }
}

}  // namespace

TEST_CASE("the table is sound: every field is described and named once") {
  std::set<const Shape*> seen;
  check_shape_of(file_shape(), seen);
  CHECK(seen.size() > 40);
}

TEST_CASE("the JSON Schema comes from the table") {
  const json schema = json::parse(json_schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema["additionalProperties"] == false);
  CHECK(schema["required"] == json::array({"lithify"}));
  CHECK(schema["properties"].contains("sources"));
  CHECK_FALSE(schema["properties"].contains("include"));
  const json& image = schema["definitions"]["image"]["properties"];
  CHECK(image["config"]["properties"]["entrypoint"]["description"] ==
        "The program; `null` clears it.");
  CHECK(schema["definitions"]["step"]["oneOf"].size() == 10);
  CHECK(schema["definitions"]["mount"]["oneOf"].size() == 4);
  CHECK(schema["definitions"]["test"]["oneOf"].size() == 5);
  CHECK(schema["definitions"].contains("stage"));
  CHECK(schema["definitions"]["source"]["oneOf"].size() == 6);
  CHECK(json_schema() == json_schema());
}

TEST_CASE("every default in the table is what a file without the field means") {
  const auto copy = step_of<CopyStep>("{copy: ., from: src, to: /a}");
  CHECK(copy.owner == Owner{0, 0});
  CHECK_FALSE(copy.mode.has_value());
  CHECK_FALSE(copy.keep_paths);
  CHECK_FALSE(copy.unpack);
  const auto packages = step_of<PackagesStep>("{packages: [bash], from: deb}");
  CHECK_FALSE(packages.recommends);
  CHECK(packages.drop.empty());
  CHECK(step_of<FileStep>("{file: /a, text: x}").mode == 0644);
  const ImageVariant variant = variant_with("    []\n");
  CHECK(variant.config.inherit);
  CHECK_FALSE(variant.config.entrypoint.has_value());
}
