#include "cli/model_reference.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>

namespace switchyard::cli {
namespace {

std::string Describe(std::string_view text) {
  const auto reference = ParseModelReference(text);
  if (!reference) return "error";
  if (const auto* path = std::get_if<PathReference>(&*reference))
    return "path " + path->path.string();
  if (const auto* web = std::get_if<WebReference>(&*reference)) return "web " + web->url;
  if (const auto* name = std::get_if<NameReference>(&*reference)) return "name " + name->name;
  const auto& hub = std::get<HubReference>(*reference);
  return fmt::format("{} {} {} {}", HubPrefix(hub.hub), hub.repository, hub.revision, hub.selector);
}

TEST(ModelReference, TellsTheKindsApart) {
  EXPECT_EQ(Describe("smollm2"), "name smollm2");
  EXPECT_EQ(Describe("qwen3-0.6b"), "name qwen3-0.6b");
  EXPECT_EQ(Describe("Qwen/Qwen3-0.6B"), "hf Qwen/Qwen3-0.6B  ");
  EXPECT_EQ(Describe("Qwen/Qwen3-0.6B-GGUF:Q8_0"), "hf Qwen/Qwen3-0.6B-GGUF  Q8_0");
  EXPECT_EQ(Describe("hf:a/b@v1.0:sub/x.gguf"), "hf a/b v1.0 sub/x.gguf");
  EXPECT_EQ(Describe("hf:a/b@refs/pr/3"), "hf a/b refs/pr/3 ");
  EXPECT_EQ(Describe("ms:Qwen/Qwen3-0.6B"), "ms Qwen/Qwen3-0.6B  ");
  EXPECT_EQ(Describe("https://host/x.gguf"), "web https://host/x.gguf");
  EXPECT_EQ(Describe("file:///models/x.gguf"), "path /models/x.gguf");
  EXPECT_EQ(Describe("./models/x"), "path ./models/x");
  EXPECT_EQ(Describe("/models/x"), "path /models/x");
  EXPECT_EQ(Describe("models/x.gguf"), "path models/x.gguf");
  EXPECT_EQ(Describe("x.gguf"), "path x.gguf");
  EXPECT_EQ(Describe("a/b/c"), "path a/b/c");
}

TEST(ModelReference, RefusesWhatLeavesItsPlace) {
  for (const char* text : {"", "hf:a", "hf:../b", "hf:a/..", "hf:a/b/c", "hf:a/b:../../etc/passwd",
                           "hf:a/b:/etc/passwd", "hf:a/b@..:x", "hf:a/b:", "ftp://host/x.gguf",
                           "ms:a b/c", "hf:a/b?x=1"}) {
    EXPECT_EQ(Describe(text), "error") << text;
  }
  EXPECT_EQ(Describe(std::string(5000, 'x')), "error");
}

TEST(ModelReference, SafePathsStayInsideTheirFolder) {
  rc::check([] {
    std::string path;
    for (int i = *rc::gen::inRange(0, 8); i > 0; --i) {
      path +=
          *rc::gen::element<std::string>("a", "..", ".", "/", "//", "\\", "\n", "x.gguf", "...");
    }
    const std::filesystem::path joined =
        (std::filesystem::path("/root/in") / path).lexically_normal();
    const bool inside = joined.string().starts_with("/root/in/") && joined != "/root/in/";
    if (IsSafeRelativePath(path)) RC_ASSERT(inside);
  });
  EXPECT_TRUE(IsSafeRelativePath("a/b-c_d/é.gguf"));
}

}  // namespace
}  // namespace switchyard::cli
