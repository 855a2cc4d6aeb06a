#include "builder/plan/recipe.h"

namespace lithify {

const std::vector<std::string>& normaliser_names() {
  static const std::vector<std::string> k_names = {
      "backups",            // passwd- and its like
      "caches",             // of apt and man
      "database-clusters",  // of PostgreSQL and MariaDB, made by maintainer scripts
      "font-caches",        // of fontconfig, which hold times of directories
      "java-keystores",     // the times of certificates in them
      "ldconfig-cache",     // /var/cache/ldconfig/aux-cache
      "logs",               // of apt, dpkg and update-alternatives
      "machine-id",         //
      "network-files",      // /etc/resolv.conf, /etc/hosts, /etc/hostname
      "private-keys",       // fresh ones are refused
      "pycache",            // byte code that is held valid by times
      "python-records",     // of pip and uv: where from and when
      "shadow-days",        // the last-change date in /etc/shadow
      "temporary",          // what is in /tmp, /var/tmp and /run
  };
  return k_names;
}

}  // namespace lithify
