// Xattrs: the extended attributes of a file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace oci {

// Name to raw value, in order because they are hashed. A value like the map it holds, at
// the cost of one pointer while it is empty: trees have many files, and nearly none of
// them has an attribute.
class Xattrs {
 public:
  using Map = std::map<std::string, std::string>;

  Xattrs() = default;
  Xattrs(Map map) : map_(map.empty() ? nullptr : std::make_unique<Map>(std::move(map))) {}
  Xattrs(std::initializer_list<Map::value_type> values) : Xattrs(Map(values)) {}
  Xattrs(const Xattrs& other) : Xattrs(other.map()) {}
  Xattrs(Xattrs&&) noexcept = default;
  ~Xattrs() = default;
  Xattrs& operator=(const Xattrs& other) { return *this = Xattrs(other); }
  Xattrs& operator=(Xattrs&&) noexcept = default;

  const Map& map() const {
    static const Map k_none;
    return map_ ? *map_ : k_none;
  }
  Map::const_iterator begin() const { return map().begin(); }
  Map::const_iterator end() const { return map().end(); }
  bool empty() const { return map().empty(); }
  const std::string& at(const std::string& name) const { return map().at(name); }
  std::string& operator[](const std::string& name) {
    if (!map_) map_ = std::make_unique<Map>();
    return (*map_)[name];
  }
  void clear() { map_.reset(); }
  template <class Predicate>  // of one name and value
  void erase_if(Predicate unwanted) {
    if (map_) std::erase_if(*map_, unwanted);
    if (empty()) clear();
  }

  bool operator==(const Xattrs& other) const { return map() == other.map(); }

 private:
  std::unique_ptr<Map> map_;  // null rather than empty
};

}  // namespace oci
