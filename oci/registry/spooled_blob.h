// SpooledBlob: bytes on their way, in a file without a name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

namespace oci {

// For what must be whole before it goes on, and may be too large for memory. The file is
// in the machine's directory for temporary ones; nothing is left of it, whatever happens.
// One thread at a time writes; several may read.
class SpooledBlob final : public Sink {
 public:
  SpooledBlob();

  void write(Bytes data) override;
  // The name of all that was written. Once.
  BlobRef finish();
  // What was written, from `offset`. Must not outlive the spool.
  std::unique_ptr<Source> open(std::uint64_t offset) const;

 private:
  class Range;

  std::string directory_;  // for messages
  Fd file_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
};

}  // namespace oci
