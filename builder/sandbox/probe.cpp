// probe: every answer is the result of having done it.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <pwd.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/sandbox/control_group.h"
#include "builder/sandbox/launcher/wire.h"
#include "builder/sandbox/owner_map.h"
#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/session.h"

namespace lithify {

namespace {

// The first line of a small file of the kernel's; empty if it is not there.
std::string line_of(const char* path) {
  if (::access(path, R_OK) != 0) return "";
  try {
    oci::FileSource source(oci::open_file(path, O_RDONLY), path);
    const std::string text = oci::read_all(source, 1 << 20, path);
    return text.substr(0, text.find('\n'));
  } catch (const oci::Error&) {
    return "";
  }
}

bool in_kubernetes() {
  return ::access("/var/run/secrets/kubernetes.io", F_OK) == 0;
}

bool in_container() {
  return in_kubernetes() || ::access("/.dockerenv", F_OK) == 0 ||
         ::access("/run/.containerenv", F_OK) == 0;
}

// What most often forbids namespaces, and who can allow them.
std::string cure_for_namespaces() {
  if (line_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" &&
      ::geteuid() != 0)
    return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
  if (line_of("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    return "sudo sysctl kernel.unprivileged_userns_clone=1";
  if (line_of("/proc/sys/user/max_user_namespaces") == "0")
    return "sudo sysctl user.max_user_namespaces=15000";
  if (in_kubernetes())
    return "in the pod's securityContext: seccompProfile: {type: Unconfined}; or "
           "hostUsers: false in its spec";
  if (in_container())
    return "docker run --security-opt seccomp=unconfined --security-opt "
           "apparmor=unconfined …";
  return "allow user namespaces: the container's seccomp profile or the machine's "
         "security module forbids them";
}

std::string cure_for_proc() {
  if (in_kubernetes()) return "in the container's securityContext: procMount: Unmasked";
  return "docker run --security-opt systempaths=unconfined …; podman run --security-opt "
         "unmask=ALL …";
}

std::string user_words() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

std::string cure_for_range() {
  for (const char* path :
       {"/usr/bin/newuidmap", "/bin/newuidmap", "/usr/local/bin/newuidmap"}) {
    if (::access(path, X_OK) != 0) continue;
    if (!range_owners())
      return "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 " +
             user_words();
    return std::string("sudo setcap cap_setuid+ep ") + path +
           " && sudo setcap cap_setgid+ep " +
           std::string(path).replace(std::string(path).rfind('u'), 1, "g");
  }
  return "sudo apt-get install uidmap";
}

// Of root in a user namespace with one id.
std::string cure_for_one_id() {
  return "enter a user namespace with a range of ids: unshare --map-auto --map-root-user "
         "…";
}

struct Attempt {
  SandboxProbe probe;
  std::string why_not;  // empty: it works
};

Attempt attempt(SandboxLevel level, const OwnerMap& owners) {
  SandboxPlan plan;
  plan.level = level;
  plan.owners = owners;
  Attempt result;
  SandboxSession session = converse(plan, k_wire_probe, {}, {});
  if (session.failure) {
    result.why_not = session.failure->what();
    return result;
  }
  const auto offers = [&](std::string_view what) {
    return std::find(session.offers.begin(), session.offers.end(), what) !=
           session.offers.end();
  };
  SandboxProbe& probe = result.probe;
  probe.level = level;
  probe.owners = owners;
  probe.mounts = level != SandboxLevel::chroot;
  probe.fresh_proc = offers("proc");
  probe.overlay = offers("overlay");
  probe.scoped = offers("scopes");
  probe.own_name = offers("name");
  probe.limits_all = place_for_groups().has_value();
  probe.owners_need_entering = level == SandboxLevel::id_range && ::geteuid() != 0;
  return result;
}

bool is_first_user_namespace() {
  const std::string map = line_of("/proc/self/uid_map");
  return map.find("4294967295") != std::string::npos;
}

// From the best to the least; what fails on the way becomes a remedy.
class Prober {
 public:
  explicit Prober(SandboxLevel at_most) : at_most_(at_most) {}

  SandboxProbe run() {
    const bool found = ::geteuid() == 0 ? as_root() : as_user();
    if (!found) result_.level = SandboxLevel::none;
    if (result_.mounts && !result_.fresh_proc)
      remedies_.push_back({"a /proc of the sandbox's own", cure_for_proc()});
    result_.remedies = std::move(remedies_);
    return std::move(result_);
  }

 private:
  bool take(SandboxLevel level, const std::optional<OwnerMap>& owners,
            std::string missing, const std::string& cure) {
    if (level > at_most_) return false;
    if (owners) {
      Attempt tried = attempt(level, *owners);
      if (tried.why_not.empty()) {
        result_ = std::move(tried.probe);
        return true;
      }
      missing += " (" + tried.why_not + ")";
    }
    remedies_.push_back({std::move(missing), cure});
    return false;
  }

  bool as_root() {
    const std::optional<OwnerMap> owners = root_owners(!confined());
    const SandboxLevel best =
        is_first_user_namespace() ? SandboxLevel::root : SandboxLevel::id_range;
    if (take(best, owners, owners ? "user namespaces" : "more than one user id",
             owners ? cure_for_namespaces() : cure_for_one_id()))
      return true;
    if (best == SandboxLevel::root && at_most_ == SandboxLevel::id_range &&
        take(SandboxLevel::id_range, owners, "user namespaces", cure_for_namespaces()))
      return true;
    if (may_chroot() && makes_devices() &&
        take(SandboxLevel::chroot, same_owners(), "the right to change the root",
             "run as root of the container, with the capability SYS_CHROOT"))
      return true;
    // Root without its rights, or of a namespace. Where it is the machine's own root, a
    // single id would be that root.
    return (confined() || !is_first_user_namespace()) &&
           take(SandboxLevel::single_id, single_owner(), "user namespaces",
                cure_for_namespaces());
  }

  bool as_user() {
    if (take(SandboxLevel::id_range, range_owners(), "more than one user id",
             cure_for_range()))
      return true;
    return take(SandboxLevel::single_id, single_owner(), "user namespaces",
                cure_for_namespaces());
  }

  // A machine whose root could have namespaces should have them: chroot alone is for
  // those whom a container confines already. Who asks for it by name knows why.
  bool may_chroot() const {
    return at_most_ == SandboxLevel::chroot || !is_first_user_namespace() ||
           in_container() || line_of("/proc/1/sched").empty() || confined();
  }

  // CAP_SYS_ADMIN is not in the bounding set.
  static bool confined() { return (capabilities("CapBnd") >> 21 & 1) == 0; }

  // Nothing else puts a /dev/null below a directory where nothing can be mounted. Only
  // the first user namespace lets CAP_MKNOD make one.
  static bool makes_devices() {
    return is_first_user_namespace() && (capabilities("CapEff") >> 27 & 1) != 0;
  }

  // 0 for a set that is not told.
  static unsigned long long capabilities(const std::string& set) {
    oci::FileSource source(oci::open_file("/proc/self/status", O_RDONLY), "status");
    const std::string text = oci::read_all(source, 1 << 20, "/proc/self/status");
    const std::string label = set + ":\t";
    const std::size_t at = text.find(label);
    if (at == std::string::npos) return 0;
    return std::strtoull(text.c_str() + at + label.size(), nullptr, 16);
  }

  SandboxLevel at_most_;
  SandboxProbe result_;
  std::vector<SandboxRemedy> remedies_;
};

}  // namespace

const SandboxProbe& probe_sandbox(SandboxLevel at_most) {
  static std::mutex mutex;
  static std::array<std::optional<SandboxProbe>, 5> known;
  const std::lock_guard lock(mutex);
  std::optional<SandboxProbe>& answer = known[static_cast<std::size_t>(at_most)];
  if (!answer) answer = Prober(at_most).run();
  return *answer;
}

}  // namespace lithify
