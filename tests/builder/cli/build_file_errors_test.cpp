// build_file_errors: what a person sees for each mistake in a build file, letter by
// letter.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "builder/frontend/lithify_file.h"
#include "builder/tell/render_error.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string rendered(const std::string& text) {
  lithify::FrontendOptions options;
  options.args["undeclared"] = "1";
  if (text.find("undeclared") == std::string::npos) options.args.clear();
  options.platforms = {{"linux", "amd64", ""}};
  if (text.find("platforms:") != std::string::npos) options.platforms.clear();
  const lithify::Reading reading =
      lithify::read_lithify_file("lithify.yaml", "/project", text, options);
  lithify::SourceTexts texts;
  texts.add("lithify.yaml", text);
  std::string all;
  for (const lithify::Problem& problem : reading.problems) {
    if (!all.empty()) all += "\n";
    all += lithify::render_error(problem.error, texts, {}, problem.severity);
  }
  return all;
}

}  // namespace

TEST_CASE("every mistake in a build file has its text") {
  const auto folder =
      std::filesystem::path(LITHIFY_SOURCE_DIR) / "tests" / "golden" / "frontend";
  std::vector<std::filesystem::path> files;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() == ".yaml") files.push_back(item.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE_FALSE(files.empty());
  for (const auto& file : files)
    check_golden("frontend/" + file.stem().string() + ".txt", rendered(read_file(file)));
}
