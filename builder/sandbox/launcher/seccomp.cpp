// seccomp: a list of what is refused. A list of what is allowed would have to follow
// every new system call that a C library starts to use.
#include <cerrno>
#include <initializer_list>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <seccomp.h>

#include "builder/sandbox/launcher/confine.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

// By name, because not every architecture and library knows each.
constexpr const char* k_refused[] = {
    // keys and tracing
    "keyctl", "add_key", "request_key", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_getfd", "kcmp", "perf_event_open", "bpf", "lookup_dcookie",
    // mounts and namespaces
    "mount", "umount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick",
    "move_mount", "open_tree", "mount_setattr", "statmount", "listmount", "unshare",
    "setns", "chroot",
    // ways around checks
    "open_by_handle_at", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "modify_ldt", "vm86", "vm86old", "uselib", "ustat", "sysfs",
    "_sysctl", "fanotify_init", "memfd_secret", "map_shadow_stack",
    // the machine
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "get_kernel_syms", "query_module", "reboot", "swapon", "swapoff",
    "acct", "quotactl", "quotactl_fd", "nfsservctl", "settimeofday", "stime",
    "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime", "clock_adjtime64",
    "iopl", "ioperm", "syslog", "vhangup", "sethostname", "setdomainname", "mbind",
    "set_mempolicy", "migrate_pages", "move_pages"};

// Refused as if the kernel did not know it: C libraries then use clone, whose flags can
// be looked at.
constexpr const char* k_unknown[] = {"clone3"};

constexpr std::uint64_t k_new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                           CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                           CLONE_NEWNET;

void refuse(scmp_filter_ctx filter, const char* name, int error) {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR || number < 0) return;
  errno = -::seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0);
  if (errno != 0) fail("refusing the system call", name);
}

void refuse_if(scmp_filter_ctx filter, const char* name, int error,
               scmp_arg_cmp compare) {
  const int number = ::seccomp_syscall_resolve_name(name);
  errno = -::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(error), number, 1, &compare);
  if (errno != 0) fail("refusing some of the system call", name);
}

// A family that knows no namespaces would be a way out (AF_VSOCK, AF_ALG); without a
// network namespace of our own every family but AF_UNIX is, and without Landlock's scopes
// that one too, for its abstract names.
void refuse_sockets(scmp_filter_ctx filter, const PlanReader& plan) {
  constexpr unsigned k_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  const bool own = plan.has(k_wire_user_namespace);
  const bool local = own || landlock_abi() >= 6;
  const std::size_t allowed = own ? 4 : local ? 1 : 0;
  unsigned next = 0;  // the gaps between the allowed ones, which ascend
  for (std::size_t i = 0; i < allowed; ++i) {
    for (; next < k_families[i]; ++next)
      refuse_if(filter, "socket", EAFNOSUPPORT, SCMP_A0_32(SCMP_CMP_EQ, next));
    ++next;
  }
  refuse_if(filter, "socket", EAFNOSUPPORT, SCMP_A0_32(SCMP_CMP_GE, next));
}

// Execution domains are what `setarch` asks for; all others are old holes.
void refuse_personalities(scmp_filter_ctx filter) {
  constexpr std::uint32_t k_allowed = 0x0008 | 0x20000 | 0x40000;  // LINUX32, UNAME26, -R
  for (unsigned number = 0; number < 31; ++number) {
    const std::uint32_t one = 1u << number;
    if ((k_allowed & one) != 0) continue;
    // The highest bit is set in the number that only asks.
    refuse_if(filter, "personality", EPERM,
              SCMP_A0_32(SCMP_CMP_MASKED_EQ, one | 0x80000000u, one));
  }
}

}  // namespace

void set_seccomp(const PlanReader& plan) {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) fail("making the system call filter");
  // i386 and x32 have other numbers for what is refused here.
  ::seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
  ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree, not a chain
  for (const char* name : k_refused)
    refuse(filter, name, EPERM);
  for (const char* name : k_unknown)
    refuse(filter, name, ENOSYS);
  for (std::uint64_t flag = 1; flag != 0 && flag <= k_new_namespaces; flag <<= 1) {
    if ((k_new_namespaces & flag) != 0)
      refuse_if(filter, "clone", EPERM, SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  for (const unsigned request : {unsigned{TIOCSTI}, unsigned{TIOCLINUX}})
    refuse_if(filter, "ioctl", EPERM, SCMP_A1_32(SCMP_CMP_EQ, request));
  refuse_sockets(filter, plan);
  refuse_personalities(filter);
  errno = -::seccomp_load(filter);
  if (errno != 0) fail("loading the system call filter");
  ::seccomp_release(filter);
}

}  // namespace lithify
