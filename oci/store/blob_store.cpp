// blob_store: what every store can do with the four methods it has.
#include "oci/store/blob_store.h"

namespace oci {

BlobRef put(BlobStore& to, Source& from) {
  const auto writer = to.create();
  copy(from, *writer);
  return writer->commit();
}

BlobRef put(BlobStore& to, std::string_view text) {
  const auto writer = to.create();
  writer->write(as_bytes(text));
  return writer->commit();
}

}  // namespace oci
