#include "builder/run/import.h"

#include "builder/plan/glob.h"
#include "builder/plan/key.h"

namespace lithify {

Tree perform_import(const Import& import, std::int64_t now_ns,
                    const CaptureTools& tools) {
  const PathFilter filter(import.include, import.exclude);
  CaptureRequest request;
  request.path = import.path;
  request.keep_modes = import.modes == LocalSource::Modes::keep;
  request.now_ns = now_ns;
  if (!filter.takes_all()) {
    request.takes = [&](std::string_view path) { return filter.takes(path); };
    request.descends = [&](std::string_view path) { return filter.descends(path); };
    request.filter_name = KeyDocument()
                              .field("include", import.include)
                              .field("exclude", import.exclude)
                              .text();
  }
  return capture(request, tools);
}

}  // namespace lithify
