// gunzip: gzip undone with every check that RFC 1952 has; anything else passes as it is.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "oci/base/stream.h"

namespace oci {

// libarchive's own filter skips over the check sums and takes garbage for the end.
class GunzipSource final : public Source {
 public:
  GunzipSource(std::unique_ptr<Source> from, std::string name);
  ~GunzipSource() override;

  // True if the stream is gzip, and so is undone here. Reads the beginning.
  bool is_gzip();
  // The members one behind the other. At the end the source has been read to its own.
  // Errc::bad_input for a member whose CRC-32 or size is wrong, that breaks off, or that
  // is followed by anything but members and zeros (tape drives pad with them).
  std::size_t read(std::span<std::byte> into) override;
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Inflater;

  void begin();
  bool fill();
  std::size_t pass(std::span<std::byte> into);
  std::size_t inflate(std::span<std::byte> into);
  bool next_member();

  std::unique_ptr<Source> from_;
  std::string name_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;   // what of the buffer was used
  std::size_t end_ = 0;  // what of it is filled
  std::uint64_t bytes_read_ = 0;
  std::unique_ptr<Inflater> inflater_;  // only for gzip
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace oci
