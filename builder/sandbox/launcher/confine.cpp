// confine: limits, processors, Landlock and capabilities of the program.
#include "builder/sandbox/launcher/confine.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

void limit(__rlimit_resource_t which, rlim_t soft, rlim_t hard, const char* what) {
  rlimit now = {};
  must(::getrlimit(which, &now), "reading the limit of", what);
  // Only the machine's root raises a hard limit, so a lower one stays.
  if (now.rlim_max < hard) hard = now.rlim_max;
  if (hard < soft) soft = hard;
  const rlimit wanted = {soft, hard};
  must(::setrlimit(which, &wanted), "setting the limit of", what);
}

constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}

// Of Landlock's rights on files, those of an ABI: 13 from the first, and one more each
// in ABI 2 (refer), 3 (truncate) and 5 (ioctl on devices).
std::uint64_t file_rights(int abi) {
  constexpr unsigned k_rights[] = {0, 13, 14, 15, 15, 16};
  return bit(k_rights[abi < 5 ? abi : 5]) - 1;
}

}  // namespace

void set_limits(const WirePlan& plan) {
  limit(RLIMIT_CORE, 0, 0, "core files");
  limit(RLIMIT_NOFILE, 1024, 524288, "open files");
  limit(RLIMIT_STACK, 8u << 20, RLIM_INFINITY, "the stack");
  if (plan.pids != 0) limit(RLIMIT_NPROC, plan.pids, plan.pids, "processes");
  if (plan.cpu_seconds != 0)
    limit(RLIMIT_CPU, plan.cpu_seconds, plan.cpu_seconds + 1, "processor time");
  if (plan.file_size != 0) limit(RLIMIT_FSIZE, plan.file_size, plan.file_size, "files");
}

void set_cpus(std::uint32_t cpus) {
  cpu_set_t had;
  cpu_set_t gets;
  CPU_ZERO(&gets);
  if (cpus == 0 || ::sched_getaffinity(0, sizeof had, &had) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus > 0; ++cpu) {
    if (!CPU_ISSET(cpu, &had)) continue;
    CPU_SET(cpu, &gets);
    --cpus;
  }
  must(::sched_setaffinity(0, sizeof gets, &gets), "choosing processors");
}

int landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

void set_landlock(int root) {
  const int abi = landlock_abi();
  if (abi == 0 || (root < 0 && abi < 6)) return;
  LandlockRules rules = {};
  if (root >= 0) rules.file_system = file_rights(abi);
  if (abi >= 6) rules.scoped = 3;  // abstract sockets, signals
  const std::size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 16 : 8;
  const Handle set(static_cast<int>(must(
      ::syscall(SYS_landlock_create_ruleset, &rules, size, 0), "making Landlock rules")));
  if (root >= 0) {
    const landlock_path_beneath_attr beneath = {rules.file_system, root};
    must(::syscall(SYS_landlock_add_rule, int(set), LANDLOCK_RULE_PATH_BENEATH, &beneath,
                   0),
         "adding a Landlock rule");
  }
  must(::syscall(SYS_landlock_restrict_self, int(set), 0), "obeying Landlock rules");
}

std::uint64_t program_capabilities() {
  return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
         bit(CAP_SETUID) | bit(CAP_SETGID);
}

void keep_capabilities(std::uint64_t keep) {
  for (unsigned long number = 0; number < 64; ++number) {
    if ((keep & bit(static_cast<unsigned>(number))) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) break;  // beyond the last one
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  must(::syscall(SYS_capget, &header, data), "reading capabilities");
  for (int half = 0; half < 2; ++half) {
    const auto wanted = static_cast<std::uint32_t>(keep >> (32 * half));
    data[half].permitted &= wanted;
    data[half].effective = data[half].permitted;
    data[half].inheritable = 0;
  }
  must(::syscall(SYS_capset, &header, data), "dropping capabilities");
}

void set_seccomp(const PlanReader& plan) {
  const std::uint32_t count = plan.plan().filter.count;
  if (count == 0) return;
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(count);
  // The kernel takes a pointer that it does not write through.
  program.filter = static_cast<sock_filter*>(const_cast<void*>(plan.filter()));
  must(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program),
       "loading the system call filter");
}

}  // namespace lithify
