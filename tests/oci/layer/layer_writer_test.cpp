// layer_writer: entries in, the same bytes out, on any machine.
#include "oci/layer/layer_writer.h"

#include <clocale>
#include <sys/stat.h>

#include "oci/base/error.h"
#include "oci/layer/compress.h"
#include "oci/layer/frames.h"
#include "oci/layer/tar.h"

#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using layer_test::entry;
using layer_test::File;
using layer_test::file;
using layer_test::text_of;
using layer_test::write;
using oci::Compression;
using oci::FileType;

namespace {

// Some megabytes with small files, one large one and every kind of entry.
std::vector<File> make_sample() {
  std::vector<File> files{{entry("", FileType::directory)},
                          {entry("a", FileType::directory)}};
  for (int i = 0; i < 400; ++i) {
    files.push_back(file("a/file" + std::to_string(1000 + i), text_of(20'000, i)));
  }
  files.push_back({entry("a/hard", FileType::hardlink, "a/file1007")});
  files.push_back({entry("a/soft", FileType::symlink, "/etc/soft")});
  files.push_back(file("big", text_of(13'000'000, 77)));
  files.push_back(
      file("gr\xc3\xbc\xc3\x9f"
           "e",
           "hello"));
  files.push_back({entry("old", FileType::whiteout)});
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return oci::member_path(a.entry) < oci::member_path(b.entry);
  });
  return files;
}

const std::vector<File>& sample() {
  static const std::vector<File> files = make_sample();
  return files;
}

oci::Errc code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const oci::Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return oci::Errc::internal;
}

}  // namespace

TEST_CASE("an empty layer is two zero blocks") {
  const auto written = write({}, Compression::none);
  CHECK(written.blob == std::string(1024, '\0'));
  CHECK(written.layer.diff_id == oci::Digest::of(written.blob));
  CHECK(written.layer.uncompressed_size == 1024);
  CHECK(written.layer.blob.media_type == oci::media_type::k_layer);
}

TEST_CASE("a layer names its bytes twice") {
  const auto plain = write(sample(), Compression::none);
  CHECK(plain.layer.blob.digest == plain.layer.diff_id);
  CHECK(plain.layer.blob.size == plain.blob.size());
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    const auto written = write(sample(), compression);
    CHECK(written.layer.diff_id == plain.layer.diff_id);
    CHECK(written.layer.uncompressed_size == plain.blob.size());
    CHECK(written.layer.blob.digest == oci::Digest::of(written.blob));
    CHECK(written.layer.blob.media_type == oci::layer_media_type(compression));
    CHECK(written.blob.size() < plain.blob.size() / 2);
  }
}

TEST_CASE("the bytes do not depend on the number of workers") {
  const auto compression =
      GENERATE(Compression::none, Compression::gzip, Compression::zstd);
  const std::string one = write(sample(), compression, 1).blob;
  for (const unsigned workers : {2U, 5U, 16U}) {
    CHECK((write(sample(), compression, workers).blob == one));
  }
}

TEST_CASE("the bytes do not depend on how the content arrives") {
  const std::string whole = write(sample(), Compression::zstd).blob;
  for (const std::size_t step : {511U, 4096U, 1'000'003U}) {
    CHECK((write(sample(), Compression::zstd, 2, step).blob == whole));
  }
}

TEST_CASE("the bytes do not depend on locale or umask") {
  const std::string before = write(sample(), Compression::gzip).blob;
  const mode_t mask = ::umask(0777);
  std::setlocale(LC_ALL, "C.UTF-8");
  const std::string after = write(sample(), Compression::gzip).blob;
  std::setlocale(LC_ALL, "C");
  ::umask(mask);
  CHECK((before == after));
}

TEST_CASE("entries out of order are a bug") {
  const auto written_after = [](oci::Entry first, oci::Entry second) {
    return code_of([&] { write({{first}, {second}}, Compression::none); });
  };
  const auto dir = [](const char* path) { return entry(path, FileType::directory); };
  CHECK(written_after(dir("b"), dir("a")) == oci::Errc::internal);
  CHECK(written_after(dir("a"), dir("a")) == oci::Errc::internal);
  CHECK(written_after(dir("a/b"), dir("a.b")) == oci::Errc::internal);
  // ".wh.z" sorts before "a".
  CHECK(written_after(dir("a"), entry("z", FileType::whiteout)) == oci::Errc::internal);
  CHECK_NOTHROW(
      write({{entry("z", FileType::whiteout)}, {dir("a")}, {dir("a.b")}, {dir("a/b")}},
            Compression::none));
}

TEST_CASE("content must have the size that was announced") {
  File f = file("a", "12345");
  f.entry.size = 6;
  CHECK(code_of([&] { write({f}, Compression::zstd); }) == oci::Errc::mismatch);
  f.entry.size = 4;
  CHECK(code_of([&] { write({f}, Compression::zstd); }) == oci::Errc::mismatch);
}

TEST_CASE("a writer that failed does not go on") {
  layer_test::OneBlobStore store;
  oci::WorkerPool pool(1);
  oci::LayerWriter writer(store, Compression::zstd, pool);
  oci::StringSource nothing("");
  File f = file("a", "12345");
  CHECK_THROWS_AS(writer.add(f.entry, nothing), oci::Error);
  CHECK(code_of([&] { writer.add(entry("b", FileType::directory)); }) ==
        oci::Errc::internal);
  CHECK(code_of([&] { std::move(writer).finish(); }) == oci::Errc::internal);
  CHECK(store.commits == 0);
}

TEST_CASE("a dropped writer leaves nothing") {
  layer_test::OneBlobStore store;
  oci::WorkerPool pool(2);
  {
    oci::LayerWriter writer(store, Compression::zstd, pool);
    File f = file("a", text_of(20'000'000, 1));
    oci::StringSource content(f.content);
    writer.add(f.entry, content);
  }
  CHECK(store.commits == 0);
}

TEST_CASE("a full store is told to whoever adds or finishes") {
  const std::vector<File> files = sample();
  for (const std::size_t room : {0U, 500'000U, 3'000'000U}) {
    layer_test::OneBlobStore store(room);
    oci::WorkerPool pool(2);
    CHECK(code_of([&] {
            oci::LayerWriter writer(store, Compression::zstd, pool);
            for (const File& f : files) {
              oci::StringSource content(f.content);
              writer.add(f.entry, content);
            }
            std::move(writer).finish();
          }) == oci::Errc::machine);
    CHECK(store.commits == 0);
  }
}
