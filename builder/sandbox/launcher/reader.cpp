// reader: no pointer is followed that was not compared with the size first.
#include "builder/sandbox/launcher/reader.h"

#include <cstring>
#include <initializer_list>

namespace lithify {

bool PlanReader::text_fits(WireText text) const {
  // The byte behind the text is the zero.
  return text.offset < size_ && text.length < size_ - text.offset &&
         bytes_[text.offset + text.length] == 0 &&
         std::memchr(bytes_ + text.offset, 0, text.length) == nullptr;
}

bool PlanReader::list_fits(WireList list, std::size_t item) const {
  return list.count <= k_max_wire_items && list.offset % 8 == 0 && list.offset <= size_ &&
         list.count <= (size_ - list.offset) / item;
}

bool PlanReader::texts_fit(WireList list) const {
  if (!list_fits(list, sizeof(WireText))) return false;
  const auto* texts = reinterpret_cast<const WireText*>(bytes_ + list.offset);
  for (std::uint32_t i = 0; i < list.count; ++i) {
    if (!text_fits(texts[i])) return false;
  }
  return true;
}

bool PlanReader::mounts_fit() const {
  if (!list_fits(plan_->mounts, sizeof(WireMount))) return false;
  for (std::uint32_t i = 0; i < plan_->mounts.count; ++i) {
    const WireMount& one = mount(i);
    if (!text_fits(one.source) || !text_fits(one.target)) return false;
    if (one.content.offset >= size_ || one.content.length >= size_ - one.content.offset)
      return false;
    if (one.kind < k_wire_bind || one.kind > k_wire_file) return false;
  }
  return true;
}

bool PlanReader::open(const void* bytes, std::size_t size) {
  if (size < sizeof(WirePlan) || size > k_max_wire) return false;
  bytes_ = static_cast<const char*>(bytes);
  size_ = size;
  plan_ = static_cast<const WirePlan*>(bytes);
  if (plan_->magic != k_wire_magic || plan_->version != k_wire_version) return false;
  if (plan_->size != size) return false;
  for (const WireText text :
       {plan_->root, plan_->upper, plan_->work, plan_->cwd, plan_->hostname}) {
    if (!text_fits(text)) return false;
  }
  return texts_fit(plan_->lower) && texts_fit(plan_->argv) && texts_fit(plan_->env) &&
         list_fits(plan_->groups, sizeof(std::uint32_t)) &&
         list_fits(plan_->filter, sizeof(std::uint64_t)) && mounts_fit();
}

const WireMount& PlanReader::mount(std::uint32_t index) const {
  return reinterpret_cast<const WireMount*>(bytes_ + plan_->mounts.offset)[index];
}

const char* PlanReader::lower(std::uint32_t index) const {
  return text(reinterpret_cast<const WireText*>(bytes_ + plan_->lower.offset)[index]);
}

const std::uint32_t* PlanReader::groups() const {
  return reinterpret_cast<const std::uint32_t*>(bytes_ + plan_->groups.offset);
}

void PlanReader::pointers(WireList list, const char** into) const {
  const auto* texts = reinterpret_cast<const WireText*>(bytes_ + list.offset);
  for (std::uint32_t i = 0; i < list.count; ++i)
    into[i] = text(texts[i]);
  into[list.count] = nullptr;
}

}  // namespace lithify
