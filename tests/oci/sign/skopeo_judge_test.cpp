// skopeo as a judge of classic signatures: what podman and CRI-O pull by policy.json.
// Runs where there is one that was built for it (Debian 13): LITHIFY_SKOPEO names the
// program, else PATH is searched.
#include <filesystem>

#include "oci/base/base64.h"
#include "oci/sign/simple_signing.h"

#include "tests/oci/sign/judge.h"
#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::KeyType;
using oci::SimpleSigning;

namespace {

class Skopeo {
 public:
  bool present() {
    // Debian 12 builds it without sigstore, and its policies then cannot be read.
    if (!judge_.present() || !judge_.run({"--version"})) return false;
    const std::string version = judge_.output();
    if (version.find("version 1.9.") == std::string::npos) return true;
    WARN("this skopeo was built without sigstore: " << version);
    return false;
  }

  // Whether it copies the image by this signature over `payload`.
  bool pulls(oci::PrivateKey& key, const std::string& payload,
             const std::string& tag = "1.0") {
    const std::string name = "app" + std::to_string(++number_);
    JudgedRepository repository(server_, name);
    std::string text = payload;
    // The name of the repository is known only now.
    if (const auto at = text.find("@NAME@"); at != std::string::npos) {
      text.replace(at, 6, repository.reference());
    }
    const auto bytes = key.sign(oci::as_bytes(text)).bytes;
    repository.attach_classic(
        text,
        oci::base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    std::filesystem::create_directories(judge_.path("registries.d"));
    judge_.file("registries.d/here.yaml", "docker:\n  " + server_.domain() +
                                              ":\n    use-sigstore-attachments: true\n");
    const nlohmann::json rule = {
        {"type", "sigstoreSigned"},
        {"keyPath", judge_.file("key.pub", key.public_key().pem())}};
    const nlohmann::json policy = {
        {"default", {{{"type", "reject"}}}},
        {"transports", {{"docker", {{server_.domain(), {rule}}}}}}};
    return judge_.run({"--policy", judge_.file("policy.json", policy.dump()),
                       "--registries.d", judge_.path("registries.d"), "copy",
                       "--src-tls-verify=false", "--remove-signatures",
                       "docker://" + repository.reference() + ":" + tag,
                       "dir:" + judge_.path("out" + std::to_string(number_))});
  }
  std::string complaint() const { return judge_.complaint(); }

  // Of the image in each of the repositories.
  oci::Digest digest() { return JudgedRepository(server_, "app").digest(); }

 private:
  Judge judge_{"LITHIFY_SKOPEO", "skopeo"};
  RegistryServer server_;
  int number_ = 0;
};

}  // namespace

TEST_CASE("skopeo pulls by our classic signature, by every kind of key") {
  Skopeo skopeo;
  if (!skopeo.present()) return;
  const std::string payload =
      SimpleSigning{"@NAME@:1.0", skopeo.digest(), {{"env", "<test>"}}}.str();
  for (const KeyType type : k_all_key_types) {
    INFO(oci::key_type_name(type));
    const bool pulls = skopeo.pulls(key_of(type), payload);
    INFO(skopeo.complaint());
    CHECK(pulls);
  }
}

TEST_CASE("pitfalls 16 and 17: skopeo rejects the payloads that we reject") {
  Skopeo skopeo;
  if (!skopeo.present()) return;
  oci::PrivateKey& key = key_of(KeyType::ecdsa_p256);
  const std::string payload = SimpleSigning{"@NAME@:1.0", skopeo.digest()}.str();
  const std::string twins[] = {
      replaced(payload, ",\"optional\":null", ""),
      replaced(payload, "null", "{\"timestamp\":\"1\"}"),
      replaced(payload, "null", "{\"creator\":1}"),
      replaced(payload, "\"critical\":{", "\"critical\":{\"more\":1,"),
      replaced(payload, "null", "null,\"more\":1"),
      replaced(payload, "null", "null,\"optional\":null"),
      replaced(payload, "cosign container", "atomic container"),
      replaced(payload, skopeo.digest().hex(), oci::Digest::of("x").hex()),
      replaced(payload, "@NAME@:1.0", "@NAME@:2.0"),
      replaced(payload, "@NAME@:1.0", "r.example/app:1.0"),
  };
  for (const std::string& twin : twins) {
    INFO(twin);
    CHECK_FALSE(skopeo.pulls(key, twin));
  }
  // Signed without a tag it is not pulled by one: we would accept it, and write a tag.
  CHECK_FALSE(skopeo.pulls(key, replaced(payload, "@NAME@:1.0", "@NAME@")));
  CHECK(skopeo.pulls(key, payload));
}
