// Lines of plain and compressed files, and tables of them.
#include "laminar/datasets/line_reader.hpp"

#include <doctest/doctest.h>
#include <lzma.h>
#include <zstd.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/memory_budget.hpp"
#include "laminar/datasets/table_reader.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Texts = std::vector<std::string>;

Texts lines_in(const std::filesystem::path& path) {
  LineReader file(path);
  Texts lines;
  while (file.next()) lines.emplace_back(file.line());
  return lines;
}

std::string xz(const std::string& text) {
  std::string packed(text.size() + 1024, '\0');
  std::size_t size = 0;
  REQUIRE(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()),
                                  text.size(), reinterpret_cast<std::uint8_t*>(packed.data()), &size,
                                  packed.size()) == LZMA_OK);
  packed.resize(size);
  return packed;
}

std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  const std::size_t size = ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size());
  ZSTD_freeCCtx(context);
  REQUIRE(ZSTD_isError(size) == 0);
  packed.resize(size);
  return packed;
}

std::vector<Texts> rows_in(const std::string& text, const TableFormat& format = {}, Texts* header = nullptr) {
  const TemporaryFolder folder;
  write_bytes(folder / "t", text);
  TableReader table(folder / "t", format, {"id", "source"});
  std::vector<Texts> rows;
  while (table.next()) rows.emplace_back(table.cells().begin(), table.cells().end());
  if (header != nullptr) *header = table.header();
  return rows;
}

}  // namespace

TEST_CASE("compressed files hold the lines of plain ones") {
  const TemporaryFolder folder;
  std::string text;
  Texts expected;
  for (int i = 0; i < 200000; ++i) {
    expected.push_back(std::to_string(i) + " line");
    text += expected.back() + (i % 2 == 0 ? "\n" : "\r\n");
  }
  write_bytes(folder / "plain", text);
  CHECK(lines_in(folder / "plain") == expected);
  write_gzip(folder / "packed.gz", text);
  CHECK(lines_in(folder / "packed.gz") == expected);
  // Two packed files one behind the other, as `cat` makes them.
  const std::size_t half = text.find("100000 line");
  for (const auto& pack : {xz, zstd}) {
    const std::string bytes = pack(text.substr(0, half)) + pack(text.substr(half));
    write_bytes(folder / "packed", bytes);
    CHECK(lines_in(folder / "packed") == expected);
    write_bytes(folder / "cut", bytes.substr(0, bytes.size() - 9));
    CHECK_THROWS_WITH_AS(lines_in(folder / "cut"),
                         doctest::Contains("cut: can't be read: the compressed file is cut off"), Error);
    std::string damaged = bytes;
    for (std::size_t i = bytes.size() / 3; i < bytes.size() / 3 + 40; ++i)
      damaged[i] = static_cast<char>(damaged[i] ^ 0x35);
    write_bytes(folder / "damaged", damaged);
    CHECK_THROWS_AS(lines_in(folder / "damaged"), Error);
  }
  CHECK_THROWS_WITH_AS(LineReader(folder / "none"), doctest::Contains("there is no such file"), Error);
  CHECK_THROWS_WITH_AS(LineReader(folder.path()), doctest::Contains("is a folder"), Error);
}

TEST_CASE("a small file that unpacks to one long line takes no more memory than a line may") {
  const TemporaryFolder folder;
  write_bytes(folder / "bomb.zst", zstd(std::string(std::size_t{4} << 20, '0')));
  LineReader file(folder / "bomb.zst", std::size_t{1} << 20);
  CHECK_THROWS_WITH_AS(file.next(), doctest::Contains("bomb.zst:1: the line is longer than 1 MiB"), Error);
  MemoryBudget budget(100);
  CHECK(budget.take(60));
  CHECK(budget.take(40));
  CHECK_FALSE(budget.take(1));
  CHECK(default_memory_bytes() > (std::uint64_t{1} << 26));
}

TEST_CASE("names of files without their endings") {
  CHECK(stem_of("a/web.mtx.gz") == "web");
  CHECK(stem_of("web.v2.csv") == "web.v2");
  CHECK(stem_of("web") == "web");
  CHECK(extension_of("a/WEB.MTX.GZ") == ".mtx");
  CHECK(extension_of("web.csv.zst") == ".csv");
  CHECK(extension_of("web.gz").empty());
}

TEST_CASE("UTF-8 and what is none") {
  for (const char* good : {"", "plain", "Zo\xc3\xab", "\xe6\x9d\xb1\xe4\xba\xac", "\xf0\x9f\x90\x99", "\xed\x9f\xbf"}) {
    CHECK(valid_utf8(good));
  }
  for (const char* bad : {"\xff", "\xc3", "\xc3\x28", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xe6\x9d"}) {
    CHECK_FALSE(valid_utf8(bad));
  }
  CHECK_FALSE(valid_utf8(std::string_view("a\0b", 3)));
  CHECK(shown("Zo\xc3\xab\n") == "'Zo\xc3\xab?'");
  CHECK(shown("a\xff") == "'a?'");
  CHECK(shown(std::string(39, 'x') + "\xc3\xab") == "'" + std::string(39, 'x') + "...'");
}

TEST_CASE("separators and quotes of tables") {
  using Rows = std::vector<Texts>;
  CHECK(rows_in("1,2\n3,4\n") == Rows{{"1", "2"}, {"3", "4"}});
  CHECK(rows_in("a b\tc d\n1\t2\n", {Separator::kAuto, HeaderLine::kNo}) == Rows{{"a b", "c d"}, {"1", "2"}});
  CHECK(rows_in("1;2,5;x\n") == Rows{{"1;2", "5;x"}});
  CHECK(rows_in("1;2,5;x\n", {Separator::kSemicolon, HeaderLine::kAuto}) == Rows{{"1", "2,5", "x"}});
  CHECK(rows_in("  1 \t 2   3 \n4 5 6\n", {Separator::kBlank, HeaderLine::kAuto}) ==
        Rows{{"1", "2", "3"}, {"4", "5", "6"}});
  CHECK(rows_in("\"New York\" 5\n\"a \"\"b\"\"\" 6\n") == Rows{{"New York", "5"}, {"a \"b\"", "6"}});
  CHECK(rows_in("1,,\n,,2\n") == Rows{{"1", "", ""}, {"", "", "2"}});
  CHECK(rows_in("1, \"\" ,2\n") == Rows{{"1", "", "2"}});
  CHECK(rows_in("# c\n\n% d\n").empty());
}

TEST_CASE("the first row names the columns, or not") {
  using Rows = std::vector<Texts>;
  Texts header;
  CHECK(rows_in("a,b\n1,2\n", {}, &header) == Rows{{"1", "2"}});
  CHECK(header == Texts{"a", "b"});
  CHECK(rows_in("a,b\nc,d\n", {}, &header).size() == 2);
  CHECK(header.empty());
  CHECK(rows_in("ID,b\nc,d\n", {}, &header) == Rows{{"c", "d"}});
  CHECK(rows_in("a,b\nc,d\n", {Separator::kAuto, HeaderLine::kYes}).size() == 1);
  CHECK(rows_in("a,b\n1,2\n", {Separator::kAuto, HeaderLine::kNo}).size() == 2);
  CHECK(rows_in("id,b\n", {}, &header).empty());
  CHECK(header.size() == 2);
  CHECK(rows_in("1,2\n").size() == 1);
  CHECK_THROWS_WITH_AS(rows_in("1,2\n# x\n3\n"), doctest::Contains(":3: has 1 column, but the first row has 2"), Error);
  CHECK_THROWS_AS(parse_separator("slash"), UsageError);
  CHECK_THROWS_AS(parse_header_line("maybe"), UsageError);
  CHECK(parse_separator("tab") == Separator::kTab);
}

}  // namespace laminar::datasets::test
