// reader: the plan as the launcher sees it, checked once, then only looked at.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "builder/sandbox/launcher/wire.h"

namespace lithify {

// Views a buffer that outlives it. Everything in it was checked by open(): texts end with
// a zero and have none inside (contents may), lists lie inside and are aligned.
class PlanReader {
 public:
  // False: the bytes are no plan. Never reads beyond `size`.
  bool open(const void* bytes, std::size_t size);

  const WirePlan& plan() const { return *plan_; }
  bool has(WireFlag flag) const { return (plan_->flags & flag) != 0; }
  const char* text(WireText text) const { return bytes_ + text.offset; }
  const WireMount& mount(std::uint32_t index) const;
  const char* lower(std::uint32_t index) const;
  const std::uint32_t* groups() const;
  const void* filter() const { return bytes_ + plan_->filter.offset; }
  // Fills `into` with `list`'s texts and a null behind them; room for count + 1.
  void pointers(WireList list, const char** into) const;

 private:
  bool text_fits(WireText text) const;
  bool list_fits(WireList list, std::size_t item) const;
  bool texts_fit(WireList list) const;
  bool mounts_fit() const;

  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
  const WirePlan* plan_ = nullptr;
};

}  // namespace lithify
