#include "builder/resolve/scripted_packages.h"

namespace lithify {

namespace {

constexpr const char* k_mount = "/run/lithify-packages";

// Files of configuration that a base changed stay as they are, as when nobody answers
// apt. The sandbox's root is thrown away if this fails, so nothing need reach the disk.
// The descriptor of the list is closed for dpkg: scripts would read it.
constexpr const char* k_script = R"(cd /run/lithify-packages
call() {
  dpkg --force-unsafe-io --force-confdef --force-confold --auto-deconfigure "$@"
}
policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
  cp policy-rc.d /usr/sbin/policy-rc.d
  policy=ours
fi
while read -r words <&3; do
  call $words 3<&-
done 3<order
call --configure --pending
if [ -n "$policy" ]; then rm /usr/sbin/policy-rc.d; fi
)";

}  // namespace

RunStep scripted_install(const PackagesStep& packages) {
  RunStep run;
  run.argv = {"/bin/sh", "-eu", "-c", k_script};
  run.env = {{"DEBIAN_FRONTEND", "noninteractive"},
             {"DEBCONF_NONINTERACTIVE_SEEN", "true"}};
  run.unnormalised = packages.unnormalised;
  RunMount mount;
  mount.from = "the packages";
  mount.at = k_mount;
  run.mounts.push_back(std::move(mount));
  return run;
}

}  // namespace lithify
