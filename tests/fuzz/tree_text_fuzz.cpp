// tree_text: texts of trees that a stranger wrote. What is accepted is written again as
// the same bytes.
#include <cstdlib>
#include <string_view>

#include "oci/base/error.h"

#include "builder/tree/tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lithify::Tree tree = lithify::Tree::from_text(text);
    if (tree.to_text() != text) std::abort();
    check_sound(tree.nodes());
    for (const auto& [path, node] : tree.nodes())
      (void)tree.resolve(path);
    (void)merge(tree, tree, false);
  } catch (const oci::Error& e) {
    if (e.code() == oci::Errc::internal) std::abort();
  }
  return 0;
}
