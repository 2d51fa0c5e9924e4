#include "cli/model_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

HubAccess Access(Hub hub) { return {hub, "https://hub.test", {}}; }

// The shape that huggingface_hub's own parser reads: ModelInfo and its siblings with blobs.
TEST(ModelHub, ReadsAListOfHuggingFace) {
  auto files = ParseHuggingFaceListing(
      R"({"id": "a/b", "sha": "0123abcd", "siblings": [
            {"rfilename": "config.json", "size": 700, "blobId": "b1"},
            {"rfilename": "dir/x y.gguf", "size": 5, "blobId": "b2", "lfs": {"size": 123,
             "sha256": "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
             "pointerSize": 135}}]})",
      Access(Hub::kHuggingFace), "a/b", "main");
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].url, "https://hub.test/a/b/resolve/0123abcd/config.json");
  EXPECT_EQ((*files)[0].version, "b1");
  EXPECT_EQ((*files)[0].sha256, "");
  EXPECT_EQ((*files)[1].url, "https://hub.test/a/b/resolve/0123abcd/dir/x%20y.gguf");
  EXPECT_EQ((*files)[1].size_bytes, 123U);
  EXPECT_EQ((*files)[1].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ModelHub, ReadsAListOfModelScope) {
  auto files = ParseModelScopeListing(
      R"({"Code": 200, "Success": true, "Data": {"Files": [
            {"Name": "dir", "Path": "dir", "Type": "tree", "Size": 0},
            {"Name": "x.gguf", "Path": "dir/x.gguf", "Type": "blob", "Size": 9, "Revision": "r1",
             "Sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}]}})",
      Access(Hub::kModelScope), "a/b", "master");
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 1U);
  EXPECT_EQ(files->front().url, "https://hub.test/models/a/b/resolve/master/dir/x.gguf");
  EXPECT_EQ(files->front().size_bytes, 9U);
  EXPECT_EQ(files->front().version, "r1");
}

TEST(ModelHub, RefusesListsThatAreNoneOrHostile) {
  const HubAccess hf = Access(Hub::kHuggingFace);
  const HubAccess ms = Access(Hub::kModelScope);
  for (const char* text : {"", "[]", "3", "{\"siblings\": 3}", "{\"siblings\": [3]}",
                           "{\"siblings\": [{\"rfilename\": \"../../.bashrc\"}]}",
                           "{\"siblings\": [{\"rfilename\": \"/etc/passwd\"}]}",
                           "{\"siblings\": [{\"rfilename\": \"a\\nb\"}]}", "<html></html>"}) {
    EXPECT_FALSE(ParseHuggingFaceListing(text, hf, "a/b", "main")) << text;
  }
  for (const char* text :
       {"", "[]", "{\"Data\": null}", "{\"Data\": {\"Files\": {}}}",
        "{\"Data\": {\"Files\": [{\"Path\": \"..\"}]}}", "{\"Data\": {\"Files\": [7]}}"}) {
    EXPECT_FALSE(ParseModelScopeListing(text, ms, "a/b", "master")) << text;
  }
  auto refused = ParseModelScopeListing(R"({"Code": 10010205001, "Message": "no such model"})", ms,
                                        "a/b", "master");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no such model"));
}

std::vector<HubFile> Files(std::initializer_list<const char*> paths) {
  std::vector<HubFile> files;
  for (const char* path : paths) files.push_back({path, {}, {}, {}, {}});
  return files;
}

std::vector<std::string> Chosen(const std::vector<HubFile>& files, std::string_view selector) {
  auto model = ChooseModelFiles(files, selector, "a/b");
  if (!model) return {"error: " + model.error().message};
  std::vector<std::string> paths;
  for (const HubFile& file : model->files) paths.push_back(file.path);
  return paths;
}

TEST(ModelChoice, FindsAQuantisation) {
  const auto files = Files({"README.md", "m-IQ4_XS.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf",
                            "m-Q8_0.gguf", "mmproj-m-Q8_0.gguf"});
  EXPECT_THAT(Chosen(files, "q8_0"), ElementsAre("m-Q8_0.gguf"));
  EXPECT_THAT(Chosen(files, "Q4_K_S"), ElementsAre("m-Q4_K_S.gguf"));
  EXPECT_THAT(Chosen(files, ""), ElementsAre("m-Q4_K_M.gguf"));
  EXPECT_THAT(Chosen(files, "m-IQ4_XS.gguf"), ElementsAre("m-IQ4_XS.gguf"));
  EXPECT_THAT(Chosen(files, "mmproj-m-Q8_0.gguf"), ElementsAre("mmproj-m-Q8_0.gguf"));
  EXPECT_THAT(Chosen(files, "Q4_K"), ElementsAre(HasSubstr("fits several files")));
  EXPECT_THAT(Chosen(files, "Q2_K"), ElementsAre(HasSubstr("holds no 'Q2_K'; it has m-IQ4_XS")));
}

TEST(ModelChoice, ATagIsAWholeWord) {
  const auto files = Files({"q8-tuned-F16.gguf", "model.bf16.gguf"});
  EXPECT_THAT(Chosen(files, "f16"), ElementsAre("q8-tuned-F16.gguf"));
  EXPECT_THAT(Chosen(files, "BF16"), ElementsAre("model.bf16.gguf"));
}

TEST(ModelChoice, BringsAllPartsOfASplitModel) {
  const auto files = Files(
      {"m-q8_0-00002-of-00002.gguf", "m-q8_0-00001-of-00002.gguf", "m-q4_0-00001-of-00002.gguf"});
  EXPECT_THAT(Chosen(files, "Q8_0"),
              ElementsAre("m-q8_0-00001-of-00002.gguf", "m-q8_0-00002-of-00002.gguf"));
  EXPECT_THAT(Chosen(files, "m-q8_0-00002-of-00002.gguf"),
              ElementsAre("m-q8_0-00001-of-00002.gguf", "m-q8_0-00002-of-00002.gguf"));
  EXPECT_THAT(Chosen(files, "q4_0"), ElementsAre(HasSubstr("part 2 of 2")));
}

TEST(ModelChoice, TakesASafetensorsFolderWhole) {
  const auto files =
      Files({"README.md", "config.json", "model-00001-of-00002.safetensors",
             "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json",
             "consolidated.safetensors", "original/model.safetensors", "pytorch_model.bin"});
  EXPECT_THAT(Chosen(files, ""), ElementsAre("config.json", "model-00001-of-00002.safetensors",
                                             "model-00002-of-00002.safetensors",
                                             "model.safetensors.index.json", "tokenizer.json"));
  EXPECT_EQ(ChooseModelFiles(files, "", "a/b")->entry, "");
  EXPECT_THAT(Chosen(Files({"model.safetensors"}), ""), ElementsAre(HasSubstr("neither a GGUF")));
  EXPECT_THAT(Chosen(Files({}), ""), ElementsAre(HasSubstr("neither a GGUF")));
  EXPECT_THAT(Chosen(Files({"x-a.gguf", "x-b.gguf"}), ""),
              ElementsAre(HasSubstr("several models")));
}

TEST(ModelChoice, HostilePartNumbersAreNoParts) {
  EXPECT_THAT(Chosen(Files({"m-00003-of-00002.gguf"}), ""), ElementsAre("m-00003-of-00002.gguf"));
  EXPECT_THAT(Chosen(Files({"m-0000x-of-00002.gguf"}), ""), ElementsAre("m-0000x-of-00002.gguf"));
  EXPECT_THAT(Chosen(Files({"m-00001-of-99999.gguf"}), ""), ElementsAre(HasSubstr("part 2 of")));
}

}  // namespace
}  // namespace switchyard::cli
