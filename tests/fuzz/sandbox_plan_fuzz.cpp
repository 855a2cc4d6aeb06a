// sandbox_plan_fuzz: bytes as the launcher's plan. What is accepted is walked through to
// the end, as the launcher does.
#include <cstdint>
#include <cstring>
#include <vector>

#include "builder/sandbox/launcher/reader.h"

using namespace lithify;

namespace {

volatile std::size_t seen = 0;

void walk(const PlanReader& reader) {
  const WirePlan& plan = reader.plan();
  for (const WireText text : {plan.root, plan.upper, plan.work, plan.cwd, plan.hostname})
    seen = seen + std::strlen(reader.text(text));
  for (const WireList list : {plan.lower, plan.argv, plan.env}) {
    std::vector<const char*> words(list.count + 1);
    reader.pointers(list, words.data());
    for (std::uint32_t i = 0; i < list.count; ++i)
      seen = seen + std::strlen(words[i]);
  }
  for (std::uint32_t i = 0; i < plan.groups.count; ++i)
    seen = seen + reader.groups()[i];
  for (std::uint32_t i = 0; i < plan.mounts.count; ++i) {
    const WireMount& mount = reader.mount(i);
    seen = seen + std::strlen(reader.text(mount.source));
    seen = seen + std::strlen(reader.text(mount.target));
    const char* content = reader.text(mount.content);
    for (std::uint32_t at = 0; at < mount.content.length; ++at)
      seen = seen + static_cast<unsigned char>(content[at]);
  }
  const auto* filter = static_cast<const unsigned char*>(reader.filter());
  for (std::size_t at = 0; at < plan.filter.count * sizeof(std::uint64_t); ++at)
    seen = seen + filter[at];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  // Most inputs would fail at the first numbers; these are given away.
  for (const bool corrected : {false, true}) {
    if (corrected && size >= sizeof(WirePlan)) {
      const auto length = static_cast<std::uint32_t>(size);
      std::memcpy(bytes.data(), &k_wire_magic, sizeof k_wire_magic);
      std::memcpy(bytes.data() + 8, &k_wire_version, sizeof k_wire_version);
      std::memcpy(bytes.data() + 12, &length, sizeof length);
    }
    PlanReader reader;
    if (reader.open(bytes.data(), bytes.size())) walk(reader);
  }
  return 0;
}
