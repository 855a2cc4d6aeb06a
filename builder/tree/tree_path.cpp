#include "builder/tree/tree_path.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/tree_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;

std::string tree_path(std::string_view image_path) {
  std::string path;
  for (std::size_t begin = 0; begin < image_path.size();) {
    const std::size_t end = std::min(image_path.find('/', begin), image_path.size());
    const std::string_view part = image_path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.starts_with(".wh.")) {
      throw Error(Errc::bad_input,
                  fmt::format("the path \"{}\" holds \"{}\", which an image cannot have",
                              image_path, part));
    }
    if (!path.empty()) path += '/';
    path += part;
  }
  if (const char* problem = path_problem(path)) {
    throw Error(Errc::bad_input,
                fmt::format("the path \"{}\" {}", image_path.substr(0, 80), problem));
  }
  return path;
}

}  // namespace lithify
