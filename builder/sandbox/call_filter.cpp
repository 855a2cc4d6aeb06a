// call_filter: a list of what is refused. A list of what is allowed would have to follow
// every new system call that a C library starts to use.
#include "builder/sandbox/call_filter.h"

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <initializer_list>
#include <linux/futex.h>
#include <map>
#include <mutex>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <seccomp.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

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

void check(int result, const std::string& doing) {
  if (result == 0) return;
  throw oci::Error(oci::Errc::internal, "the system call filter: " + doing +
                                            " failed with " + std::to_string(result));
}

class Filter {
 public:
  Filter() : filter_(::seccomp_init(SCMP_ACT_ALLOW)) {
    if (filter_ == nullptr) throw oci::Error(oci::Errc::machine, "no memory is left");
    // i386 and x32 have other numbers for what is refused here.
    check(::seccomp_attr_set(filter_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
          "refusing other architectures");
    // A tree, not a chain. Libraries before 2.5 have no such thing.
    ::seccomp_attr_set(filter_, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }
  ~Filter() { ::seccomp_release(filter_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void refuse(const char* name, int error) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) return;  // this architecture or library does not know it
    check(::seccomp_rule_add(filter_, SCMP_ACT_ERRNO(error), number, 0), name);
  }
  void refuse_if(const char* name, int error, scmp_arg_cmp compare) {
    const int number = ::seccomp_syscall_resolve_name(name);
    check(::seccomp_rule_add_array(filter_, SCMP_ACT_ERRNO(error), number, 1, &compare),
          name);
  }
  void trace(TracedCall call, const char* name, std::vector<scmp_arg_cmp> compare) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) return;
    check(::seccomp_rule_add_array(
              filter_, SCMP_ACT_TRACE(static_cast<std::uint16_t>(call)), number,
              static_cast<unsigned>(compare.size()), compare.data()),
          name);
  }
  std::string instructions() const {
    oci::Fd file(::memfd_create("filter", MFD_CLOEXEC));
    if (!file.valid()) throw oci::write_error(errno, "making a file in memory");
    check(::seccomp_export_bpf(filter_, file.get()), "writing it down");
    if (::lseek(file.get(), 0, SEEK_SET) != 0) throw oci::errno_error(errno, "rewinding");
    oci::FileSource source(std::move(file), "filter");
    return oci::read_all(source, 1 << 20, "the system call filter");
  }

 private:
  scmp_filter_ctx filter_;
};

// A family that knows no namespaces would be a way out (AF_VSOCK, AF_ALG); without a
// network namespace every family but AF_UNIX is, and without Landlock's scopes that one
// too, for its abstract names. Pairs of connected sockets are no harm.
void refuse_sockets(Filter& filter, Sockets sockets) {
  constexpr unsigned k_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  const std::size_t allowed = sockets == Sockets::own_network ? 4
                              : sockets == Sockets::local     ? 1
                                                              : 0;
  unsigned next = 0;  // the gaps between the allowed ones, which ascend
  for (std::size_t i = 0; i < allowed; ++i) {
    for (; next < k_families[i]; ++next)
      filter.refuse_if("socket", EAFNOSUPPORT, SCMP_A0_32(SCMP_CMP_EQ, next));
    ++next;
  }
  filter.refuse_if("socket", EAFNOSUPPORT, SCMP_A0_32(SCMP_CMP_GE, next));
}

// Execution domains are what `setarch` asks for; all others are old holes.
void refuse_personalities(Filter& filter) {
  constexpr std::uint32_t k_allowed = 0x0008 | 0x20000 | 0x40000;  // LINUX32, UNAME26, -R
  for (unsigned number = 0; number < 31; ++number) {
    const std::uint32_t one = 1u << number;
    if ((k_allowed & one) != 0) continue;
    // The highest bit is set in the number that only asks.
    filter.refuse_if("personality", EPERM,
                     SCMP_A0_32(SCMP_CMP_MASKED_EQ, one | 0x80000000u, one));
  }
}

// Clocks that tell the time of day; TAI is some seconds off, which is no matter.
constexpr clockid_t k_times_of_day[] = {CLOCK_REALTIME, CLOCK_REALTIME_COARSE,
                                        CLOCK_REALTIME_ALARM, CLOCK_TAI};

void trace_clock(Filter& filter) {
  for (const clockid_t id : k_times_of_day) {
    const auto number = static_cast<scmp_datum_t>(id);
    const scmp_arg_cmp which = SCMP_A0_32(SCMP_CMP_EQ, number);
    filter.trace(TracedCall::clock_gettime, "clock_gettime", {which});
    const scmp_arg_cmp absolute =
        SCMP_A1_32(SCMP_CMP_MASKED_EQ, TIMER_ABSTIME, TIMER_ABSTIME);
    filter.trace(TracedCall::clock_nanosleep, "clock_nanosleep", {which, absolute});
  }
  filter.trace(TracedCall::gettimeofday, "gettimeofday", {});
  filter.trace(TracedCall::time, "time", {});
  const scmp_arg_cmp real =
      SCMP_A1_32(SCMP_CMP_MASKED_EQ, FUTEX_CLOCK_REALTIME, FUTEX_CLOCK_REALTIME);
  filter.trace(TracedCall::futex, "futex", {real});
}

std::string make(Sockets sockets, const Traced& traced) {
  Filter filter;
  for (const char* name : k_refused)
    filter.refuse(name, EPERM);
  for (const char* name : k_unknown)
    filter.refuse(name, ENOSYS);
  for (std::uint64_t flag = 1; flag <= k_new_namespaces; flag <<= 1) {
    if ((k_new_namespaces & flag) != 0)
      filter.refuse_if("clone", EPERM, SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  for (const unsigned request : {unsigned{TIOCSTI}, unsigned{TIOCLINUX}})
    filter.refuse_if("ioctl", EPERM, SCMP_A1_32(SCMP_CMP_EQ, request));
  refuse_sockets(filter, sockets);
  refuse_personalities(filter);
  if (traced.clock) trace_clock(filter);
  if (traced.directories) filter.trace(TracedCall::getdents64, "getdents64", {});
  if (traced.links) {
    filter.trace(TracedCall::readlink, "readlink", {});
    filter.trace(TracedCall::readlinkat, "readlinkat", {});
  }
  if (traced.names) filter.trace(TracedCall::uname, "uname", {});
  return filter.instructions();
}

}  // namespace

const std::string& call_filter(Sockets sockets, const Traced& traced) {
  static std::mutex mutex;
  static std::map<std::pair<Sockets, Traced>, std::string> made;
  const std::lock_guard lock(mutex);
  std::string& one = made[{sockets, traced}];
  if (one.empty()) one = make(sockets, traced);
  return one;
}

std::vector<std::string> refused_calls() {
  std::vector<std::string> names;
  for (const char* name : k_refused) {
    if (::seccomp_syscall_resolve_name(name) >= 0) names.emplace_back(name);
  }
  return names;
}

}  // namespace lithify
