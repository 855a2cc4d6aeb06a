// sandbox_probe: tries to get out of the sandbox that it runs in. One line for each
// attempt; the exit status is the number of those that succeeded.
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// What the host has that must stay out of reach.
struct Canary {
  std::string file;      // exists on the host, absolute
  int process = 0;       // runs on the host, as the same user
  int port = 0;          // a listener on the host's loopback and all its addresses
  std::string abstract;  // the name of a listening abstract socket
  std::string address;   // of the host, not loopback; may be empty
  int shared = 0;        // key of System V shared memory
} canary;

bool confined = true;
int attempts = 0;
int escapes = 0;

// `succeeded` is judged at once, so that errno is that of the attempt.
void attempt(const std::string& name, bool succeeded) {
  const int error = errno;
  ++attempts;
  if (succeeded) ++escapes;
  std::printf("%-9s %s%s%s\n", succeeded ? "ESCAPED" : "refused", name.c_str(),
              succeeded ? "" : ": ", succeeded ? "" : std::strerror(error));
}

bool opens(const std::string& path, int flags = O_RDONLY) {
  const int fd = ::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

// Masked files may be opened, but nothing comes out of them.
bool gives_bytes(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  char byte = 0;
  const bool got = ::read(fd, &byte, 1) > 0;
  ::close(fd);
  return got;
}

// Of the child's exit status, for attempts that change or end their process.
template <class Body>
bool in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  errno = EPERM;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

template <class... Words>
bool call(long number, Words... words) {
  return ::syscall(number, words...) >= 0;
}

void try_files() {
  attempt("the host's file by its path", opens(canary.file));
  attempt("the host's file through /proc/1/root", opens("/proc/1/root" + canary.file));
  attempt("the host's file through /proc/self/root",
          opens("/proc/self/root" + canary.file));
  attempt("the host's file through dots",
          opens("/../../../../../../../../../.." + canary.file));
  attempt("the host's file through /proc/PID/root",
          opens("/proc/" + std::to_string(canary.process) + "/root" + canary.file));
  attempt("the host's file through /proc/PID/cwd",
          opens("/proc/" + std::to_string(canary.process) + "/cwd/."));
  attempt("the host's file below a second chroot", in_child([] {
            ::mkdir("/second", 0755);
            if (::chroot("/second") != 0) return false;
            for (int i = 0; i < 64; ++i)
              if (::chdir("..") != 0) return false;
            return ::chroot(".") == 0 && opens(canary.file);
          }));
  bool any = false;
  for (int fd = 3; fd < 1024; ++fd)
    any = any || ::fcntl(fd, F_GETFD) >= 0;
  attempt("an inherited descriptor", any);
  any = false;
  for (int fd = 0; fd < 50; ++fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd) + "/..";
    any = any || ::chdir(path.c_str()) == 0;
  }
  attempt("a directory behind an inherited descriptor", any);
  ::chdir("/");
  struct {
    file_handle handle;
    char bytes[128];
  } handle = {};
  handle.handle.handle_bytes = 8;
  handle.handle.handle_type = 1;
  handle.bytes[0] = 2;  // the root of an ext4
  attempt("open_by_handle_at", call(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
  attempt("/sys/kernel", opens("/sys/kernel"));
  attempt("/sys/class/net", opens("/sys/class/net"));
  attempt("/sys/fs/cgroup", opens("/sys/fs/cgroup"));
  for (const char* path : {"/etc/shadow", "/root/.ssh", "/home", "/var/run/docker.sock",
                           "/run/systemd", "/boot", "/lost+found"})
    attempt(path, opens(path));
}

void try_proc() {
  for (const char* path :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory",
        "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/1/mem",
        "/proc/1/oom_score_adj", "/proc/1/attr/current", "/proc/irq/default_smp_affinity",
        "/proc/sys/kernel/randomize_va_space", "/proc/sys/user/max_user_namespaces",
        "/proc/sys/fs/binfmt_misc/register"})
    attempt(std::string("writing ") + path, opens(path, O_WRONLY));
  for (const char* path : {"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list",
                           "/proc/sched_debug", "/proc/kallsyms", "/proc/slabinfo",
                           "/proc/vmallocinfo", "/proc/1/environ", "/proc/1/maps",
                           "/proc/1/stack", "/proc/1/io", "/proc/kpagecount"})
    attempt(std::string("reading ") + path, gives_bytes(path));
  char target[256];
  attempt("the program of process 1",
          ::readlink("/proc/1/exe", target, sizeof target) > 0);
  attempt("the descriptors of process 1",
          ::readlink("/proc/1/fd/0", target, sizeof target) > 0);
  attempt("the environment of the host's process",
          gives_bytes("/proc/" + std::to_string(canary.process) + "/environ"));
  attempt("overwriting the launcher", opens("/proc/1/exe", O_WRONLY));
}

void try_devices() {
  struct Device {
    const char* name;
    mode_t type;
    unsigned major, minor;
  };
  constexpr Device devices[] = {
      {"mem", S_IFCHR, 1, 1},
      {"kmsg", S_IFCHR, 1, 11},
      {"fuse", S_IFCHR, 10, 229},
      {"tun", S_IFCHR, 10, 200},
      {"loop-control", S_IFCHR, 10, 237},
      {"vda", S_IFBLK, 254, 0},
      {"sda", S_IFBLK, 8, 0},
      {"kvm", S_IFCHR, 10, 232},
      {"null", S_IFCHR, 1, 3},
  };
  for (const Device& device : devices) {
    const std::string path = std::string("/tmp-device-") + device.name;
    const bool made = ::mknod(path.c_str(), device.type | 0666,
                              makedev(device.major, device.minor)) == 0;
    attempt("a new device " + std::string(device.name), made && opens(path));
    ::unlink(path.c_str());
  }
  for (const char* path :
       {"/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/vda", "/dev/kvm", "/dev/console",
        "/dev/net/tun", "/dev/tty", "/dev/loop-control"})
    attempt(std::string("opening ") + path, opens(path, O_RDWR));
  // Laid into the root by the test, where it can.
  attempt("a device that the root brings", opens("/brought-device"));
}

bool connects(int family, const sockaddr* address, socklen_t length, int type) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval patience = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const bool connected = ::connect(fd, address, length) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  return connected;
}

bool connects_to(const char* host, int port, int type = SOCK_STREAM) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host, &address.sin_addr);
  return connects(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address, type);
}

bool connects_to_abstract(int type) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, canary.abstract.data(), canary.abstract.size());
  return connects(AF_UNIX, reinterpret_cast<sockaddr*>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                         canary.abstract.size()),
                  type);
}

bool sees_interfaces() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return false;
  bool other = false;
  for (int index = 1; index < 64; ++index) {
    ifreq request = {};
    request.ifr_ifindex = index;
    other = other || (::ioctl(fd, SIOCGIFNAME, &request) == 0 &&
                      std::strcmp(request.ifr_name, "lo") != 0 &&
                      ::ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
                      (request.ifr_flags & IFF_UP) != 0);
  }
  ::close(fd);
  return other;
}

void try_network() {
  attempt("TCP to the host's loopback", connects_to("127.0.0.1", canary.port));
  attempt("TCP to the host's address",
          !canary.address.empty() && connects_to(canary.address.c_str(), canary.port));
  attempt("TCP to a public address", connects_to("192.0.2.1", 80));
  attempt("UDP to a public address", connects_to("192.0.2.1", 53, SOCK_DGRAM));
  attempt("UDP to the cloud's metadata", connects_to("169.254.169.254", 80, SOCK_DGRAM));
  sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(53);
  ::inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
  attempt("UDP to a public IPv6 address",
          connects(AF_INET6, reinterpret_cast<sockaddr*>(&six), sizeof six, SOCK_DGRAM));
  attempt("the host's abstract socket", connects_to_abstract(SOCK_STREAM));
  attempt("the host's abstract socket, by packets", connects_to_abstract(SOCK_SEQPACKET));
  attempt("an interface beside loopback", sees_interfaces());
  attempt("a raw socket", ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0);
  for (int family = 0; family < 48; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
        family == AF_NETLINK)
      continue;
    bool made = false;
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET})
      made = made || ::socket(family, type, 0) >= 0;
    attempt("a socket of family " + std::to_string(family), made);
  }
}

void try_processes() {
  // Not the parent where nothing confines us: it would stop.
  const pid_t pids[] = {canary.process, confined ? ::getppid() : 0, confined ? 1 : 0};
  for (const pid_t pid : pids) {
    const std::string name = pid == 1                ? "process 1"
                             : pid == canary.process ? "the host's process"
                                                     : "the parent";
    if (pid <= 0) continue;
    attempt("tracing " + name, ::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) == 0);
    char byte = 0;
    iovec here = {&byte, 1};
    iovec there = {reinterpret_cast<void*>(0x400000), 1};
    attempt("reading memory of " + name,
            ::process_vm_readv(pid, &here, 1, &there, 1, 0) > 0);
  }
  attempt("a signal to the host's process", ::kill(canary.process, SIGCONT) == 0);
  attempt("a thread signal to the host's process",
          call(SYS_tgkill, canary.process, canary.process, SIGCONT));
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, canary.process, 0));
  attempt("a signal by the handle of the host's process",
          handle >= 0 && call(SYS_pidfd_send_signal, handle, SIGCONT, nullptr, 0));
  attempt("a descriptor of the host's process",
          handle >= 0 && call(SYS_pidfd_getfd, handle, 0, 0));
  attempt("comparing with the host's process",
          call(SYS_kcmp, ::getpid(), canary.process, 0, 0, 0));
  attempt("the keyring of the session", call(SYS_keyctl, 0, -3, 1));
  attempt("a key", call(SYS_add_key, "user", "lithify", "x", 1, -3));
  attempt("asking for a key", call(SYS_request_key, "user", "lithify", nullptr, -3));
  attempt("the host's shared memory", ::shmget(canary.shared, 0, 0) >= 0);
}

void try_namespaces() {
  struct Kind {
    const char* name;
    int flag;
  };
  constexpr Kind kinds[] = {{"user", CLONE_NEWUSER},    {"mnt", CLONE_NEWNS},
                            {"pid", CLONE_NEWPID},      {"net", CLONE_NEWNET},
                            {"ipc", CLONE_NEWIPC},      {"uts", CLONE_NEWUTS},
                            {"cgroup", CLONE_NEWCGROUP}};
  for (const Kind& kind : kinds) {
    attempt(std::string("unshare ") + kind.name,
            in_child([&] { return ::unshare(kind.flag) == 0; }));
    attempt(std::string("clone ") + kind.name, in_child([&] {
              const long pid = ::syscall(SYS_clone, kind.flag | SIGCHLD, 0, 0, 0, 0);
              if (pid == 0) _exit(0);
              return pid > 0;
            }));
    const int fd = ::open((std::string("/proc/self/ns/") + kind.name).c_str(), O_RDONLY);
    attempt(std::string("setns ") + kind.name, fd >= 0 && ::setns(fd, kind.flag) == 0);
  }
  struct {
    unsigned long long words[11];
  } arguments = {};
  arguments.words[0] = CLONE_NEWUSER;
  attempt("clone3 with a user namespace", in_child([&] {
            const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
            if (pid == 0) _exit(0);
            return pid > 0;
          }));
}

void try_mounts() {
  ::mkdir("/m", 0755);
  attempt("the swap of the root by pivot_root", call(SYS_pivot_root, ".", "."));
  attempt("mounting a tmpfs", ::mount("x", "/m", "tmpfs", 0, nullptr) == 0);
  attempt("binding /", ::mount("/", "/m", nullptr, MS_BIND, nullptr) == 0);
  attempt("mounting /proc", ::mount("x", "/m", "proc", 0, nullptr) == 0);
  attempt("mounting /sys", ::mount("x", "/m", "sysfs", 0, nullptr) == 0);
  attempt("making /proc/sys writable",
          ::mount(nullptr, "/proc/sys", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0);
  attempt("unmounting /proc", ::umount2("/proc", MNT_DETACH) == 0);
  attempt("unmounting /", ::umount2("/", MNT_DETACH) == 0);
  attempt("fsopen", call(SYS_fsopen, "tmpfs", 0));
  attempt("open_tree", call(SYS_open_tree, AT_FDCWD, "/", 1));
  attempt("move_mount", call(SYS_move_mount, AT_FDCWD, "/m", AT_FDCWD, "/m", 0));
  attempt("fspick", call(SYS_fspick, AT_FDCWD, "/", 0));
  char attributes[32] = {};
  attempt("mount_setattr", call(SYS_mount_setattr, AT_FDCWD, "/", 0, attributes, 32));
}

void try_privileges() {
  attempt("TIOCSTI", ::ioctl(0, TIOCSTI, "x") == 0);
  errno = 0;
  ::ioctl(0, TIOCSTI, "x");
  attempt("TIOCSTI reaching the terminal's driver", errno != EPERM);
  char code = 3;
  attempt("TIOCLINUX", ::ioctl(0, TIOCLINUX, &code) == 0);
  attempt("new privileges by exec", ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
  attempt("no filter of system calls", ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
  for (const int capability : {CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_MKNOD,
                               CAP_SYS_CHROOT, CAP_NET_RAW, CAP_SYS_MODULE, CAP_SETPCAP,
                               CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE, CAP_KILL}) {
    attempt("capability " + std::to_string(capability) + " in the bounding set",
            ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1);
  }
  attempt("an ambient capability",
          ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) == 0);
  attempt("other secure bits", ::prctl(PR_SET_SECUREBITS, 1, 0, 0, 0) == 0);
  attempt("becoming root", ::getuid() != 0 && ::setuid(0) == 0);
  rlimit more = {1u << 30, 1u << 30};
  attempt("more open files than allowed", ::setrlimit(RLIMIT_NOFILE, &more) == 0);
  attempt("a core file", (more = {1, 1}, ::setrlimit(RLIMIT_CORE, &more) == 0));
  attempt("a better priority", ::setpriority(PRIO_PROCESS, 0, -10) == 0);
}

void try_machine() {
  attempt("a signal to process 1", in_child([] {
            return ::kill(1, SIGKILL) == 0 && (::usleep(100000), ::kill(1, 0) != 0);
          }));
  timeval now = {};
  ::gettimeofday(&now, nullptr);
  const timespec same = {now.tv_sec, 0};
  attempt("settimeofday", call(SYS_settimeofday, &now, nullptr));
  attempt("clock_settime", ::clock_settime(CLOCK_REALTIME, &same) == 0);
  attempt("sethostname", ::sethostname("x", 1) == 0);
  attempt("setdomainname", ::setdomainname("x", 1) == 0);
  attempt("reboot", call(SYS_reboot, 0xfee1dead, 672274793, 0, nullptr));
  attempt("init_module", call(SYS_init_module, "", 0, ""));
  attempt("kexec_load", call(SYS_kexec_load, 0, 0, nullptr, 0));
  attempt("swapoff", call(SYS_swapoff, "/none"));
  attempt("acct", call(SYS_acct, nullptr));
  attempt("quotactl", call(SYS_quotactl, 0, nullptr, 0, nullptr));
  attempt("syslog", call(SYS_syslog, 3, nullptr, 0));
  attempt("vhangup", call(SYS_vhangup));
  attempt("bpf", call(SYS_bpf, 0, nullptr, 0));
  char event[128] = {};
  attempt("perf_event_open", call(SYS_perf_event_open, event, 0, -1, -1, 0));
  attempt("userfaultfd", call(SYS_userfaultfd, 0));
  char ring[256] = {};
  attempt("io_uring_setup", call(SYS_io_uring_setup, 1, ring));
  attempt("fanotify_init", call(SYS_fanotify_init, 0, 0));
  attempt("an old personality", call(SYS_personality, 0x0400000));  // READ_IMPLIES_EXEC
#ifdef __x86_64__
  attempt("iopl", call(SYS_iopl, 3));
  attempt("ioperm", call(SYS_ioperm, 0x80, 1, 1));
  attempt("modify_ldt", call(SYS_modify_ldt, 0, nullptr, 0));
  attempt("mount by its x32 number",
          call(0x40000000 + SYS_mount, "x", "/m", "tmpfs", 0, 0));
  attempt("getpid by its x32 number", call(0x40000000 + SYS_getpid));
  attempt("a system call of i386", in_child([] {
            long result = 20;  // getpid
            asm volatile("int $0x80" : "+a"(result) : : "memory");
            return result > 0;
          }));
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "raised") == 0) {
    std::printf("%d\n", static_cast<int>(::geteuid()));
    return 0;
  }
  if (argc != 7 && argc != 8) return 100;
  canary = {argv[1], std::atoi(argv[2]), std::atoi(argv[3]), argv[4],
            argv[5], std::atoi(argv[6])};
  confined = argc == 7;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  try_files();
  try_network();
  try_processes();
  try_namespaces();
  try_privileges();
  if (confined) {  // these would do harm where nothing confines us
    try_proc();
    try_devices();
    try_mounts();
    try_machine();
  }
  std::printf("%d attempts, %d escapes\n", attempts, escapes);
  return escapes > 99 ? 99 : escapes;
}
