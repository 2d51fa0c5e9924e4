#!/usr/bin/env python3
"""Trains tiny tokenizers, one for each way of cutting and decoding text, and records what Hugging
Face's `tokenizers` makes of some texts. The results are committed under tests/tokenizers/tiny/.

    pip install tokenizers==0.23.3 sentencepiece
    python3 tests/tokenizers/make_tiny.py
"""
import io
import json
import os

import sentencepiece
import sentencepiece.sentencepiece_model_pb2 as sentencepiece_model
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

from make_corpus import CODE, PHRASES

TEXTS = [
    "", " ", "  ", "\n", "a", " a", "a ", "Hello world", "  two  spaces  ", "tabs\tand\nlines\r\n", "don't I'M we'VE",
    "12345 3.14 1,000", "naïve café", "cafe\u0301 ne\u0301e", "ÅÄÖ åäö", "Straße İstanbul", "Маяк погас", "灯塔在黎明时熄灭了",
    "東京都 ｶﾀｶﾅ ＡＢＣ", "등대가", "नमस्ते", "👩‍💻 🇩🇪 😀", "ﬁ ½ ② ㎏", "a-b--c - d", "x,y,,z , w", "...!?!...", "(a) [b] {c}",
    "<s>", "a<s>b", "x <mask> y", "x<mask>y", "one<word>two <word> three", "<left>  after", "before  <left> and <right>  end",
    "ADDED added Added", "\u0000\u0001\u0007", "a\u00a0b\u3000c\u2028d", "\u180e\u200b\ufeff", "▁ ▁▁ x▁y", "##ing ing", "<0x41>",
    "The ferry leaves at half past nine, nobody had seen the lighthouse keeper.", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 4,
    "supercalifragilistic", "foo_bar FooBar fooBar2", "1²③Ⅳ٤", "e\u0301\u0323\u0327", "\u0323\u0301", "\u1e9b\u0323", "\r\r\n", "q̣̇",
    "\u212b \u2126 \ufb01", "ท้องฟ้า", "ab\u0903 \u0488x", "I do not know , he 's n't ' here .",
]


def lines():
    for phrases in PHRASES.values():
        yield from phrases
    yield from PHRASES["English"] * 20
    yield from PHRASES["German"] * 5
    for template in CODE:
        yield template.format(a="total", b="user_id", n="42")


def train(model, trainer, normalizer=None, pre_tokenizer=None, decoder=None, post_processor=None, added=(),
          texts=None):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if decoder:
        tokenizer.decoder = decoder
    tokenizer.train_from_iterator(texts or list(lines()), trainer)
    for token in added:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    if post_processor:
        tokenizer.post_processor = post_processor(tokenizer)
    return tokenizer


def bpe(**options):
    settings = {"vocab_size": 420, "show_progress": False, "special_tokens": ["<unk>", "<s>", "</s>"]} | options
    return trainers.BpeTrainer(**settings)


ADDED = [AddedToken("<mask>", lstrip=True, special=True), AddedToken("<word>", single_word=True),
         AddedToken("<left>", lstrip=True, rstrip=False), AddedToken("<right>", rstrip=True),
         AddedToken("Added", normalized=True)]


def surround(tokenizer):
    return processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[
        (name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")])


def byte_tokens():
    return [f"<0x{byte:02X}>" for byte in range(256)]


def character_map():
    """A charsmap small enough to commit: sentencepiece compiles a few rules of our own."""
    rules = "FB01\t66 69\nBD\t31 2F 32\n3000\t20\n65 301\tE9\nA0\t20\n9\t20\nFF21\t41\n200B\t\n2461\t32\n"
    path = "/tmp/rules.tsv"
    with open(path, "w") as out:
        out.write(rules)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PHRASES["English"] * 20), model_writer=model, vocab_size=60,
        normalization_rule_tsv=path, minloglevel=2, hard_vocab_limit=False)
    proto = sentencepiece_model.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def make():
    yield "byte_level", train(
        models.BPE(), bpe(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), vocab_size=500),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True), decoder=decoders.ByteLevel(),
        post_processor=surround, added=ADDED)
    yield "split_byte_level", train(
        models.BPE(ignore_merges=True), bpe(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), vocab_size=500),
        normalizer=normalizers.NFC(), decoder=decoders.ByteLevel(), added=ADDED,
        pre_tokenizer=pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
            pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*"
                                       r"|\s*[\r\n]+|\s+(?!\S)|\s+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
        post_processor=lambda t: processors.RobertaProcessing(("</s>", 2), ("<s>", 1)))
    yield "metaspace_bpe", train(
        models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True),
        bpe(special_tokens=["<unk>", "<s>", "</s>"] + byte_tokens(), vocab_size=620, limit_alphabet=60),
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"), decoder=decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        post_processor=surround, added=ADDED)
    yield "prepended_bpe", train(
        models.BPE(unk_token="<unk>", fuse_unk=False),
        bpe(limit_alphabet=60), decoder=decoders.Metaspace(),
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), added=ADDED)
    unigram = train(
        models.Unigram(), trainers.UnigramTrainer(vocab_size=400, show_progress=False, unk_token="<unk>",
                                                  special_tokens=["<unk>", "<s>", "</s>"]),
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always"), decoder=decoders.Metaspace(), added=ADDED,
        texts=(PHRASES["English"] + PHRASES["German"]) * 20 + [TEXTS[-1]])
    unigram.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(character_map()), normalizers.Replace(Regex(" {2,}"), " ")])
    yield "unigram", unigram
    pieces = json.loads(unigram.to_str())["model"]["vocab"]
    bytes_unigram = Tokenizer(models.Unigram(
        [tuple(piece) for piece in pieces if len(piece[0]) > 1 or piece[0].isascii() or piece[0] == "▁"] +
        [(name, -20.0) for name in byte_tokens()], unk_id=0, byte_fallback=True))
    bytes_unigram.normalizer = normalizers.Replace(" ", "▁")
    bytes_unigram.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    yield "unigram_bytes", bytes_unigram
    yield "wordpiece", train(
        models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30),
        trainers.WordPieceTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"]),
        normalizer=normalizers.BertNormalizer(), pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.WordPiece(), post_processor=lambda t: processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1)))
    yield "cased_wordpiece", train(
        models.WordPiece(unk_token="[UNK]"),
        trainers.WordPieceTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]"]),
        normalizer=normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False),
        pre_tokenizer=pre_tokenizers.Whitespace(), decoder=decoders.WordPiece(cleanup=False))
    yield "affixed_bpe", train(
        models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"),
        bpe(continuing_subword_prefix="##", end_of_word_suffix="</w>", limit_alphabet=80),
        pre_tokenizer=pre_tokenizers.WhitespaceSplit())
    yield "splits", train(
        models.BPE(unk_token="<unk>"), bpe(limit_alphabet=80),
        pre_tokenizer=pre_tokenizers.Sequence([
            pre_tokenizers.Split("-", "removed"), pre_tokenizers.Split(Regex("[aeiou]+"), "merged_with_previous"),
            pre_tokenizers.Split(",", "merged_with_next"), pre_tokenizers.Punctuation("contiguous"),
            pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.CharDelimiterSplit("s")]))
    yield "inverted_splits", train(
        models.BPE(unk_token="<unk>"), bpe(limit_alphabet=80),
        pre_tokenizer=pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"\w+"), "contiguous", invert=True), pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"(?=[A-Z])"), "isolated"), pre_tokenizers.Split(" ", "merged_with_next", invert=True),
            pre_tokenizers.Punctuation("merged_with_previous")]))
    yield "normalizers", train(
        models.BPE(unk_token="<unk>"), bpe(limit_alphabet=80), decoder=decoders.Fuse(),
        normalizer=normalizers.Sequence([
            normalizers.Nmt(), normalizers.NFKC(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
            normalizers.Strip(), normalizers.Replace(Regex(r"[0-9]+"), "0")]))
    yield "compatible_normalizers", train(
        models.BPE(unk_token="<unk>"), bpe(limit_alphabet=80), decoder=decoders.Fuse(),
        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.Strip(left=True, right=False), normalizers.NFC()]))


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny")
    os.makedirs(folder, exist_ok=True)
    for name, tokenizer in make():
        file = json.loads(tokenizer.to_str())
        # The trainer only takes bytes in as special tokens, which they aren't.
        file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
        text = json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n"
        tokenizer = Tokenizer.from_str(text)
        cases = []
        for sample in TEXTS:
            ids = tokenizer.encode(sample).ids
            tokenizer.encode_special_tokens = True
            plain = tokenizer.encode(sample, add_special_tokens=False).ids
            tokenizer.encode_special_tokens = False
            cases.append({"text": sample, "ids": ids, "plain_ids": plain,
                          "decoded": tokenizer.decode(ids, skip_special_tokens=True),
                          "decoded_special": tokenizer.decode(ids, skip_special_tokens=False)})
        with open(f"{folder}/{name}.json", "w") as out:
            out.write(text)
        with open(f"{folder}/{name}.cases.json", "w") as out:
            out.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
        print(name, len(text), tokenizer.get_vocab_size())


if __name__ == "__main__":
    main()
