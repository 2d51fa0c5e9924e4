#!/usr/bin/env python3
"""Writes the corpus on which tokenizers are compared: over 5,000 texts in many scripts, code, emoji,
white space, digits, control characters, arbitrary Unicode and broken UTF-8.

    python3 tests/tokenizers/make_corpus.py build/test_data/corpus.bin

Each text is a little-endian 32-bit length and as many bytes. The output depends on nothing but this
file: only random.Random's integers are used, which are the same in every version of Python.
"""
import random
import struct
import sys

PHRASES = {
    "English": ["The ferry leaves at half past nine", "nobody had seen the lighthouse keeper since Tuesday",
                "Bring two lemons, a knife and the old map", "we'd rather walk than wait", "It isn't over yet"],
    "German": ["Die Fähre legt um halb zehn ab", "Übermütige Möwen stehlen größere Brötchen", "Straßenbahnhaltestelle",
               "Er wüsste gern, weshalb der Schlüssel passt", "Donaudampfschifffahrtsgesellschaft"],
    "French": ["Le phare s'éteint à l'aube", "où êtes-vous allés cet été ?", "L'œuvre qu'il n'a jamais achevée",
               "Voilà : ça coûte très cher !", "« Peut-être », répondit-elle"],
    "Spanish": ["¿Dónde está la llave del faro?", "El pingüino comió piña mañana", "¡Qué sorpresa tan extraña!",
                "Mañana lloverá en la montaña", "Corazón de león"],
    "Portuguese": ["Não há ninguém no cais", "A maçã caiu do avião", "Às três horas começará a reunião",
                   "coração valente", "O pão está à mesa"],
    "Italian": ["Perché il faro è spento?", "L'acqua è già calda", "Così non può andare", "città antica", "Un po' di caffè"],
    "Polish": ["Zażółć gęślą jaźń", "Chrząszcz brzmi w trzcinie", "Łódź płynie wzdłuż brzegu", "źdźbło", "Święto pączków"],
    "Czech": ["Příliš žluťoučký kůň", "Řeka teče pod mostem", "děti si hrají ve sněhu", "Žádný učený z nebe nespadl", "čtvrtek"],
    "Hungarian": ["Árvíztűrő tükörfúrógép", "Hol van a világítótorony kulcsa?", "őszi eső", "megszentségteleníthetetlen", "Jó reggelt"],
    "Turkish": ["İstanbul'da yağmur yağıyor", "ılık süt içtim", "Çekoslovakyalılaştıramadıklarımız", "Şişe boş", "ığdır IĞDIR"],
    "Finnish": ["Yöllä äänet kantavat järven yli", "hääyöaie", "Ärrän kierrän", "kolmivaihekilowattituntimittari", "Åbo"],
    "Icelandic": ["Það er kalt í dag", "Ísland er eyja", "þröstur og æðarfugl", "Öxarárfoss", "sjö"],
    "Vietnamese": ["Ngọn hải đăng đã tắt", "Tiếng Việt có nhiều dấu thanh", "phở bò ở Huế", "Đường phố đông người", "ngã rẽ"],
    "Romanian": ["Țara este frumoasă și veche", "fântână", "Mâine plouă în București", "știință", "înțelegere"],
    "Russian": ["Маяк погас на рассвете", "Ёжик в тумане", "Съешь ещё этих мягких булок", "объявление", "ЧАЙ или кофе?"],
    "Ukrainian": ["Їжак з'їв яблуко", "Ґанок біля хати", "Щось дивне сталося", "п'ятниця", "Київ"],
    "Bulgarian": ["нещо ново под слънцето", "Ъгълът е прав", "жълта дюля", "Утре ще вали", "щъркел"],
    "Greek": ["Ο φάρος έσβησε την αυγή", "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία", "Σίσυφος", "ΌΧΙ", "ἀρχὴ ἥμισυ παντός"],
    "Armenian": ["Բարև ձեզ", "Այսօր եղանակը լավ է", "փարոս", "Հայաստան", "և"],
    "Georgian": ["გამარჯობა მეგობარო", "ღვინო და პური", "შუქურა ჩაქრა", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ", "წყალი"],
    "Hebrew": ["המגדלור כבה עם שחר", "שָׁלוֹם עֲלֵיכֶם", "מה שלומך?", "ירושלים", "ג'ירפה"],
    "Arabic": ["انطفأت المنارة عند الفجر", "السَّلامُ عَلَيْكُم", "كم الساعة الآن؟", "٢٠٢٤/٠٧/١٥", "لا إله"],
    "Persian": ["فانوس دریایی خاموش شد", "می‌خواهم بروم", "کتاب‌ها", "۱۲۳۴۵", "گچ پژ"],
    "Urdu": ["روشنی کا مینار بجھ گیا", "آپ کیسے ہیں؟", "ٹھیک ہے", "پاکستان", "ڑ"],
    "Hindi": ["प्रकाशस्तंभ भोर में बुझ गया", "क्या आप हिन्दी बोलते हैं?", "संस्कृति", "१२३४", "श्रृंगार"],
    "Bengali": ["বাতিঘর নিভে গেছে", "আমি ভালো আছি", "ক্ষত্রিয়", "১৯৭১", "ৰ"],
    "Tamil": ["கலங்கரை விளக்கம் அணைந்தது", "வணக்கம்", "ஸ்ரீ", "௧௨௩", "யாழ்ப்பாணம்"],
    "Telugu": ["దీపస్తంభం ఆరిపోయింది", "నమస్కారం", "శ్రీ", "౧౨౩", "తెలుగు"],
    "Malayalam": ["വിളക്കുമാടം അണഞ്ഞു", "നമസ്കാരം", "ൻ്റെ", "മലയാളം", "൧൨"],
    "Sinhala": ["ප්‍රදීපාගාරය නිවී ගියේය", "ආයුබෝවන්", "ශ්‍රී ලංකා", "සිංහල", "කෘතිය"],
    "Thai": ["ประภาคารดับแล้ว", "สวัสดีครับ", "วันนี้อากาศดีมาก", "๑๒๓๔", "น้ำใจ"],
    "Lao": ["ສະບາຍດີ", "ປະພາຄານ", "ນ້ຳ", "໑໒໓", "ລາວ"],
    "Khmer": ["ប្រទីបបានរលត់", "សួស្តី", "កម្ពុជា", "១២៣", "ភាសាខ្មែរ"],
    "Burmese": ["မီးပြတိုက် ငြိမ်းသွားပြီ", "မင်္ဂလာပါ", "၁၂၃", "မြန်မာ", "ကျွန်ုပ်"],
    "Tibetan": ["བཀྲ་ཤིས་བདེ་ལེགས།", "བོད་ཡིག", "༡༢༣", "ཆུ", "རྒྱལ་པོ"],
    "Mongolian": ["ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ", "Монгол улс", "ᠠᠷᠪᠠ᠎ᠠ", "Өвөл", "᠑᠒"],
    "Chinese": ["灯塔在黎明时熄灭了", "我们明天早上九点半出发。", "請問廁所在哪裡？", "三百六十五", "《山海经》与“龙”，以及——凤凰……",
                "𠮷野家的牛肉飯", "ＡＢＣ１２３，全角。"],
    "Japanese": ["灯台は夜明けに消えた", "カタカナとひらがなを混ぜる", "東京都千代田区１丁目", "ｶﾀｶﾅ", "がぎぐげご、ぱぴぷぺぽ！", "々〆ヶ"],
    "Korean": ["등대가 새벽에 꺼졌다", "안녕하세요, 여러분!", "떡볶이와 김치", "ㅋㅋㅋ ㅠㅠ", "밟히다"],
    "Amharic": ["ሰላም ለዓለም", "መብራቱ ጠፋ", "፩፪፫", "ኢትዮጵያ", "ጥሩ ነው።"],
    "Swahili": ["Mnara wa taa umezimika", "Ng'ombe wangu", "Habari za asubuhi?", "kiswahili", "Nyumba"],
    "Hawaiian": ["ʻO ka hale kukui", "Mahalo nui loa", "Hawaiʻi", "Lānaʻi", "kāne"],
    "Cherokee": ["ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᎣᏏᏲ", "ꮳꮃꭹ", "ᎠᏰᎵ", "Ꮳ"],
    "Inuktitut": ["ᐃᓄᒃᑎᑐᑦ", "ᐊᐃ", "ᓄᓇᕗᑦ", "ᖃᓄᐃᑉᐱᑦ", "ᐅᓪᓗᖅ"],
    "Math": ["∀x∈ℝ: ⌈x⌉ = −⌊−x⌋", "α ∧ ¬β = ¬(¬α ∨ β)", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒮𝒸𝓇𝒾𝓅𝓉 𝟘𝟙𝟚", "½ ⅓ ¼ ⅛ ² ³ ⁿ ₀ ₁", "∮E⋅da=Q"],
    "Symbols": ["€ £ ¥ ₹ ₽ ¢", "→ ← ↔ ⇒ ▁▂▃▄▅▆▇█", "© ® ™ § ¶ † ‡", "• ◦ ‣ ⁃ … ‰ ′ ″", "①②③ Ⅷ ㊗ ㍿ ﷺ ﬁ ﬂ ǆ"],
}
NAMES = "count total user_id maxLen HTTPServer parseXml2 _tmp __init__ i x1 fooBar XMLHttpRequest naïve_λ данные 変数 kB n".split()
CODE = [
    "def {a}({b}, *args, **kwargs):\n    return {b} + {n}\n",
    "for (int {a} = 0; {a} < {n}; ++{a}) {{\n\t{b}[{a}] = {a} * 2;\n}}",
    "if ({a} == null || {a}.{b}() !== \"{n}\") {{ throw new Error(`bad ${{{a}}}`); }}",
    "SELECT {a}, COUNT(*) FROM {b} WHERE {a} >= {n} GROUP BY 1 ORDER BY 2 DESC;",
    "#include <{a}.h>\n\nstatic const uint64_t k{b} = 0x{n}ULL;\n",
    "let mut {a}: Vec<&'static str> = Vec::with_capacity({n});\n{a}.push(\"{b}\");",
    "func ({a} *{b}) Do(ctx context.Context) (err error) {{\n\tdefer func() {{ _ = recover() }}()\n\treturn nil\n}}",
    "<div class=\"{a}\" id='{b}-{n}'>&nbsp;&amp;</div>",
    "{{\"{a}\": [{n}, -1.5e-3, null, true], \"{b}\": {{\"x\": \"\\u00e9\"}}}}",
    "$ grep -rn '{a}' ./src | awk '{{print $2}}' | sort -u > /tmp/{b}.txt 2>&1",
    "    {a}:\n      - {b}\n      - {n}\n",
    "\\frac{{{a}}}{{{b}}} = \\sum_{{i=1}}^{{{n}}} x_i^2",
    "{a} = {a} if {a} else {b}  # {n} TODO's?",
    "fn {a}<T: {b}>(x: T) -> Option<T> {{ x?.{b}()::<{n}>() }}",
    "\t\t\t{a}\t= {b};\t\t// tabs\r\n\t\t}}\r\n",
    "diff --git a/{a} b/{b}\n@@ -{n},7 +1,9 @@\n-old\n+new\n",
    "https://example.org/{a}/{b}?q={n}&lang=de#top",
    "{a}@{b}.example.com, +49 30 {n}-0, C:\\{a}\\{b}.exe",
    "0x{n} 0b1010 1_000_000 1e{n} .5 5. {n}L {n}px {n}%",
    "/** @param {a} {b}\n *  @return {n}\n */",
]
EMOJI = ["😀", "🚀", "🦙", "👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴‍☠️", "👍🏽", "🤷🏿‍♀️", "🇩🇪", "🇯🇵", "🇺🇳", "1️⃣", "#️⃣", "❤️", "❤", "☎️", "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
         "🫠", "🪿", "🫩", "✅", "™️", "🧑🏻‍🤝‍🧑🏾", "😶‍🌫️", "⌚", "🀄", "🆗", "\u200d", "\ufe0f", "\U0001f3fb"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u2003", "\u3000", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c",
          "\u200b", "\u202f", "\u1680", "\u180e", "\ufeff", "\u205f", "\u2060"]
CONTRACTIONS = ["don't", "DON'T", "I'm", "I'M", "we've", "They'Re", "he'll", "he'LL", "she'd", "'tis", "o'clock", "rock'n'roll",
                "it’s", "can´t", "y'all'd've", "dogs'", "'s", "'t", "'re", " 's", "x'S", "'ſ", "’ve", "''", "'''", "a'b'c"]
SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<bos>", "<eos>", "<start_of_turn>",
            "<end_of_turn>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<｜begin▁of▁sentence｜>",
            "<｜end▁of▁sentence｜>", "<｜fim▁hole｜>", "<|start|>", "<|return|>", "<|channel|>", "[INST]", "[/INST]", "<think>",
            "</think>", "<tool_call>", "<0x0A>", "<|im_", "|>", "<|", "▁", "▁▁", "<unused0>", "[multimodal]", "<pad>", "[UNK]",
            "<repo_name>", "<mask>", "<2mass>", "<table>", "</h1>"]
MARKS = ["\u0301", "\u0300", "\u0308", "\u0327", "\u0323", "\u0345", "\u030a", "\u0338", "\u093c", "\u09be", "\u0f71", "\u3099",
         "\u20dd", "\u1dce", "\u064b", "\u05b4", "\u0331", "\u0591"]
BASES = "aeiouAEIOUcnszyA가ㄱक가ᄀ각ᅡᆨ\u1100\u1161\u11a8かカΩώд𝒜1 ()<=>\u212b\u2126\u1e9b\u0f40\u09c7\u0b47\u1025"
BROKEN = [b"\x80", b"\xff", b"\xfe", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80",
          b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x28\xa1", b"\xc3\x28", b"\xf0\x28\x8c\xbc",
          b"\xbf\xbf\xbf", b"\xe2\x82\xe2\x82\xac", b"\xf1\x80\x80", b"\xc1\xbf", b"\xf5\x80", b"\xef\xbf"]
# Blocks for arbitrary text; some reach into code points that are not assigned.
BLOCKS = [(0x20, 0x7F), (0x80, 0x250), (0x250, 0x370), (0x370, 0x590), (0x590, 0x800), (0x800, 0xA00), (0xA00, 0xE00),
          (0xE00, 0x1200), (0x1200, 0x1800), (0x1800, 0x2000), (0x2000, 0x2C00), (0x2C00, 0x3100), (0x3100, 0x4DC0),
          (0x4E00, 0x9FFF), (0xA000, 0xAC00), (0xAC00, 0xD7B0), (0xE000, 0xE020), (0xF900, 0x10000), (0x10000, 0x10900),
          (0x10900, 0x11400), (0x11400, 0x12000), (0x12000, 0x17000), (0x1B000, 0x1D000), (0x1D000, 0x1D800),
          (0x1E000, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x2A6E0), (0x2F800, 0x2FA20), (0x30000, 0x323B0),
          (0xE0000, 0xE0200), (0xF0000, 0xF0010), (0x10FFF0, 0x110000)]


class Corpus:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.texts = []

    def pick(self, items):
        return items[self.random.randrange(len(items))]

    def number(self, digits):
        return "".join(self.pick("0123456789") for _ in range(digits))

    def join(self, makers, low, high):
        return "".join(self.pick(makers)() for _ in range(self.random.randrange(low, high)))

    def add(self, text):
        self.texts.append(text if isinstance(text, bytes) else text.encode())

    def sentence(self, language):
        phrases = PHRASES[language]
        text = self.pick(phrases)
        for _ in range(self.random.randrange(3)):
            text += self.pick([" ", ", ", ". ", "; ", " – ", "\n", "! ", "  "]) + self.pick(phrases)
        return text + self.pick([".", "", "!", "?", "...", " ", "\n"])

    def code(self):
        return self.pick(CODE).format(a=self.pick(NAMES), b=self.pick(NAMES), n=self.number(self.random.randrange(1, 9)))

    def arbitrary(self, low, high):
        first, last = self.pick(BLOCKS)
        return "".join(chr(self.random.randrange(first, last)) for _ in range(self.random.randrange(low, high)))

    def spaces(self):
        return self.pick(SPACES) * self.random.randrange(1, 6)

    def word(self):
        return self.pick(self.pick(list(PHRASES.values()))).split(" ")[0]

    def marked(self):
        marks = "".join(self.pick(MARKS) for _ in range(self.random.randrange(4)))
        return self.pick(BASES) + marks

    def make(self):
        for language in PHRASES:
            for phrase in PHRASES[language]:
                self.add(phrase)
                self.add(" " + phrase)
                self.add(phrase.upper() if phrase.isascii() else phrase + phrase)
            for _ in range(22):
                self.add(self.sentence(language))
        for _ in range(200):
            self.add(self.sentence(self.pick(list(PHRASES))) + self.pick(["", " ", "\n"]) +
                     self.sentence(self.pick(list(PHRASES))))
        for template in CODE:
            for _ in range(30):
                self.add(template.format(a=self.pick(NAMES), b=self.pick(NAMES), n=self.number(self.random.randrange(1, 12))))
        for _ in range(100):
            self.add("\n".join(self.code() for _ in range(self.random.randrange(2, 6))))
        for emoji in EMOJI:
            self.add(emoji)
            self.add("a" + emoji + "b " + emoji + " " + emoji * 3)
        for _ in range(250):
            self.add(self.join([lambda: self.pick(EMOJI), lambda: self.pick(EMOJI), self.word, self.spaces], 1, 9))
        for space in SPACES:
            for count in (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64):
                self.add(space * count)
            self.add("a" + space + "b" + space * 2 + "c" + space * 3 + "d" + space)
            self.add(space + "x" + space * 2 + "1" + space * 2 + "!")
        for _ in range(250):
            self.add(self.join([self.spaces, self.spaces, self.word, lambda: self.number(2)], 1, 10))
        for digits in range(1, 40):
            self.add(self.number(digits))
            self.add("x" + self.number(digits) + " " + self.number(digits) + ".")
        for _ in range(250):
            self.add(self.join([lambda: self.number(self.random.randrange(1, 6)), lambda: self.pick("+-*/=.,:%€$ e"),
                                lambda: self.pick("٣٤५६๗Ⅻ½²①〇𝟗੩၃"), lambda: " "], 1, 14))
        for contraction in CONTRACTIONS:
            self.add(contraction)
            self.add("Well, " + contraction + " " + contraction.upper() + "!")
        for _ in range(150):
            self.add(self.join([lambda: self.pick(CONTRACTIONS), lambda: " ", self.word, lambda: self.pick(["'", "’", "\""])], 2, 10))
        for point in list(range(0x20)) + list(range(0x7F, 0xA1)) + [0xAD, 0xFFFD, 0xFFFE, 0xFFFF, 0xFFF9, 0x61C, 0x200E, 0x2066]:
            self.add(chr(point))
            self.add("a" + chr(point) + chr(point) + "b " + chr(point) + "1")
        for _ in range(120):
            self.add(self.join([lambda: chr(self.random.randrange(0x20)), self.word, lambda: chr(self.random.randrange(0x7F, 0xA0))], 1, 10))
        for _ in range(500):
            self.add(self.arbitrary(1, 24))
        for _ in range(250):
            self.add(self.join([lambda: self.arbitrary(1, 4), self.word, lambda: " "], 2, 12))
        for _ in range(300):
            self.add(self.join([self.marked, self.marked, self.marked, lambda: " "], 1, 14))
        for broken in BROKEN:
            self.add(broken)
            self.add(b"ab" + broken + b"cd " + broken + b" " + broken * 2)
        for _ in range(350):
            self.add(b"".join(self.pick([lambda: self.pick(BROKEN), lambda: self.word().encode(), lambda: b" ",
                                         lambda: bytes(self.random.randrange(256) for _ in range(3))])()
                              for _ in range(self.random.randrange(2, 12))))
        for _ in range(100):
            text = self.sentence(self.pick(list(PHRASES))).encode()
            self.add(text[self.random.randrange(len(text)):][:self.random.randrange(1, 40)])
        for special in SPECIALS:
            self.add(special)
            self.add("a" + special + " b " + special + special + "\n" + special)
        for _ in range(150):
            self.add(self.join([lambda: self.pick(SPECIALS), self.word, self.spaces, lambda: "\n"], 2, 9))
        for unit in ["a", "ab", "=", "-", "!", "A", "é", "é", "中", "あ", "한", "😀", "ا", "ก", "0", "12", " a", "aA", "Aa", "\n ", ". ",
                     "▁", "Ġ", "()", "://", "\U00031350", "\u0301", "'s", "x\t"]:
            for count in (5, 20, 50, 300, 1000):
                self.add(unit * count)
        return self.texts


def main():
    texts = Corpus(20240715).make()
    with open(sys.argv[1], "wb") as out:
        for text in texts:
            out.write(struct.pack("<I", len(text)) + text)
    print(f"{len(texts)} texts, {sum(map(len, texts))} bytes")


if __name__ == "__main__":
    main()
