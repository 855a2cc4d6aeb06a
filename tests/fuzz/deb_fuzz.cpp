// A .deb that a stranger made: unpacked, read and installed, or refused with an Error.
#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/debian/debian_install.h"
#include "builder/debian/debian_package.h"
#include "builder/debian/debian_scripted.h"

namespace {

using namespace lithify;

void install(std::string_view bytes) {
  oci::MemoryStore store;
  oci::SilentReporter reporter;
  oci::Activity activity(reporter, "fuzz");
  const DebianContext context{store, activity, 315532800, 315532800, {}};
  Tree::Nodes nodes;
  Node deb;
  const oci::BlobRef blob = oci::put(store, bytes);
  deb.content = Slice{blob, 0, blob.size};
  nodes["a.deb"] = deb;
  const Tree archive(std::move(nodes));
  const DebianSet set{0, {"a:all=1"}, "amd64"};
  check_sound(arrange_debian(set, {&archive, 1}, Tree(), context).nodes());
  const Tree unpacked = unpack_deb({0, "a"}, archive, context);
  check_sound(unpacked.nodes());
  InstallDebianAction action;
  action.packages = {"a:all=1"};
  action.architecture = "amd64";
  action.drop = {"docs", "man", "locales", "info"};
  const Tree change = install_debian(action, {&unpacked, 1}, Tree(), context);
  check_sound(change.nodes());
  merge(Tree(), change, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    install({reinterpret_cast<const char*>(data), size});
  } catch (const oci::Error& error) {
    // A stranger's bytes are never a bug of ours.
    if (error.code() == oci::Errc::internal) throw;
  }
  return 0;
}
