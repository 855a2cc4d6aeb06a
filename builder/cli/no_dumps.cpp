#include "builder/cli/no_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace lithify {

// Neither call can fail for reasons that somebody could do something about.
void forbid_core_files() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

void forbid_dumps() {
  forbid_core_files();
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace lithify
