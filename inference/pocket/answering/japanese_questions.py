"""What a Japanese question asks for."""

# ruff: noqa: E501 - tables of patterns read better in long lines

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import Final

from inference.pocket.answering.questions import Kind, Question, Subject
from inference.pocket.seeing.places import BOTTOM, LEFT, MIDDLE, RIGHT, TOP
from inference.pocket.seeing.vocabulary import Vocabulary

COLOURS_JA: Final = (
    "黒", "白", "灰色", "赤", "オレンジ色", "黄色", "緑", "青", "紫", "ピンク", "茶色",
)  # fmt: skip
_COLOUR_WORDS: Final = (
    "黒", "白", "灰色|グレー", "赤", "オレンジ色|橙", "黄", "緑", "青", "紫", "ピンク|桃色", "茶",
)  # fmt: skip
_KANA: Final = re.compile(r"[\u3041-\u309f\u30a1-\u30fa\uff66-\uff9f]")
_ONLY_KANJI: Final = re.compile(
    r"何色|何個|何人|何匹|何本|何枚|何年|説明$|背景|種類|場所|位置|本当|写真"
)
_PLACES: Final = (
    (r"上", TOP),
    (r"下", BOTTOM),
    (r"左", LEFT),
    (r"右", RIGHT),
    (r"真ん中|中央|中心", MIDDLE),
)
_IT: Final = frozenset(
    ["", "これ", "それ", "あれ", "この画像", "この写真", "写真", "画像", "ここ", "そこ", "物", "もの", "何", "絵", "主な物"]
)  # fmt: skip
_PEOPLE: Final = frozenset(["人", "人間", "誰か", "だれか", "人物", "男性", "女性", "子供", "子ども", "男の人", "女の人"])  # fmt: skip
_ALIASES: Final = {"ネコ": "猫", "ねこ": "猫", "イヌ": "犬", "いぬ": "犬", "林檎": "リンゴ", "りんご": "リンゴ", "くるま": "車", "四角": "正方形", "四角形": "正方形", "丸": "円", "三角": "三角形", "自動車": "車", "本": "本", "コップ": "カップ", "バイク": "バイク"}  # fmt: skip
_NUMBERS: Final = {"1": 1, "一": 1, "2": 2, "二": 2, "3": 3, "三": 3, "4": 4, "四": 4, "最後の": -1}
_SEES: Final = r"(?:写って|映って|見えて?|あり|ある|い(?:ます|る|ない|ません)|存在|含まれ)"
_SUBJECT: Final = r"(?P<x>[^、。？?はがもを]+?)"


def is_japanese(text: str) -> bool:
    """Whether a text is Japanese: it has kana, or words that Chinese has not."""
    letters = sum(character.isalpha() for character in text)
    latin = sum(character.isascii() and character.isalpha() for character in text)
    if _KANA.search(text):
        return latin <= 2 * (letters - latin) + 6
    return _ONLY_KANJI.search(text) is not None


class JapaneseReader:
    """Tells what Japanese questions ask for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @cached_property
    def _by_word(self) -> dict[str, frozenset[int]]:
        """Japanese word → every name that it is true of."""
        own = {name.name.lower(): name.ja for name in self._vocabulary.names if name.ja}
        found: dict[str, set[int]] = {}
        for index, name in enumerate(self._vocabulary.names):
            words = {own[word] for word in self._vocabulary.words_for(index) if word in own}
            for ja in words | ({name.ja} if name.ja else set()):
                found.setdefault(ja, set()).add(index)
        return {word: frozenset(indices) for word, indices in found.items()}

    def subject_of(self, words: str) -> Subject | None:
        """Look up what a question speaks of; None for "it"."""
        words = re.sub(
            r"(?:この|その)?(?:写真|画像|絵)(?:の中)?(?:に(?:は)?|で(?:は)?|の)", "", words
        )
        words = re.sub(
            r"^(?:この|その|あの|他に|何か)|(?:たち|達|の(?:画像|写真))$", "", words.strip()
        )
        for word in _COLOUR_WORDS:
            words = re.sub(rf"^(?:{word})(?:い|色の|の)(?=.)", "", words)
        if words in _IT:
            return None
        if words in _PEOPLE:
            words = "人"
        words = _ALIASES.get(words, words)
        return Subject(words, self._by_word.get(words, frozenset()))

    def read(self, text: str) -> list[Question]:
        """Return what a text asks for, in order; usually one."""
        parts = [part for part in re.split(r"[。？！?!\n]+", text) if re.search(r"\w", part)]
        found = [self._read_one(part.strip()) for part in parts[:3]]
        real = [q for q in found if q.kind not in (Kind.HELLO, Kind.THANKS)]
        return real or found[:1] or [Question(kind=Kind.WHAT, shows=True)]

    def _read_one(self, text: str) -> Question:
        question = self._matched(text)
        colours = tuple(i for i, w in enumerate(_COLOUR_WORDS) if re.search(f"(?:{w})(?!何)", text))
        number = re.search(r"([1-4一二三四]|最後の)(?:枚|番)目?", text)
        if number is not None and question.kind is not Kind.COUNT:
            question = replace(question, picture=_NUMBERS[number[1]])
        return replace(question, colours=question.colours or colours, shows=True)

    def _matched(self, text: str) -> Question:  # noqa: C901 - one rule a line
        def has(pattern: str) -> bool:
            return re.search(pattern, text) is not None

        def about(kind: Kind, pattern: str) -> Question:
            match = re.search(pattern, text)
            return Question(kind=kind, subject=self.subject_of(match["x"]) if match else None)

        if has(r"ありがと|助かりま|すごい|なるほど|了解|^はい$"):
            return Question(kind=Kind.THANKS)
        if has(r"^(?:こんにちは|こんばんは|おはよう|やあ|はじめまして|さようなら)"):
            return Question(kind=Kind.HELLO)
        if has(r"あなた|君は|お前|できること|何ができ|使い方|ヘルプ|自己紹介|何を聞け|モデルは"):
            return Question(kind=Kind.SELF)
        if has(r"\d ?[+＋\-×÷*/] ?\d|計算"):
            return Question(kind=Kind.MATHS)
        if has(r"読(?:ん|め|み|む)|文字|書(?:い|か)|テキスト|何と(?:言|い)って|文章|タイトル|番号"):
            return Question(kind=Kind.TEXT)
        if has(r"誰|だれ|どなた|人の名前|(?:彼|彼女)の名前|お名前|有名人|持ち主|撮影者"):
            return Question(kind=Kind.WHO)
        if has(r"なぜ|なんで(?!す)|何故|理由|意味|どういうこと|目的|何のため|どうして(?!い)"):
            return Question(kind=Kind.WHY)
        if has(r"天気|天候|雨|晴れ|曇|雪が|気温|風が|寒い|暑い"):
            return Question(kind=Kind.WEATHER)
        if has(
            r"いつ|何年|何月|何時|季節|時間|時刻|年代|時代|(?:昼|夜|朝|夕方)(?:です|ですか|か|の)"
        ):
            return Question(kind=Kind.WHEN)
        if has(
            r"どこで|どこの|ここはどこ|場所は(?:どこ)?|撮(?:影|った|られ)|(?:国|都市|街|町|県|都道府県)(?:は|です)|屋内|屋外|室内"
        ):
            return Question(kind=Kind.WHERE_TAKEN)
        if has(
            r"何を(?:して|食べ|持っ|着|見て|飲|話)|している(?:の|ところ|か)|していますか|起き(?:て|た)|どうしている|走って|寝て|笑って|遊んで|座って|立って"
        ):
            return Question(kind=Kind.DOING)
        if has(r"本当|ほんと|確か|自信|間違い(?:ない|あり)|正しい|違(?:う|い)(?:ます|と|ません)"):
            return Question(kind=Kind.SURE)
        if has(r"背景|後ろ|うしろ"):
            return Question(kind=Kind.BACKGROUND)
        if has(
            r"(?:左|右|上|下|真ん中|中央)(?:側|の方|下|上)*(?:には?|にある(?:の|物|もの)?は?|の(?:物|もの)?は|は)(?:何|なに|なん)"
        ):
            return Question(kind=Kind.AT, place=_places(text))
        if has(r"何色|(?:どんな|何の|どの|なに)色|色は|色を|色です|カラー"):
            if has(
                r"(?:目|髪|毛|耳|服|シャツ|屋根|ドア|葉|鼻|車輪|タイヤ|取っ手|しっぽ|尻尾|足|手|顔|羽|くちばし|首輪|帽子)の色|(?:目|髪|毛|耳|服|シャツ|屋根|ドア|葉|鼻|車輪|タイヤ|取っ手|しっぽ|尻尾|足|手|羽|くちばし|首輪)は何色"
            ):
                return Question(kind=Kind.PART)
            return about(Kind.COLOUR, r"^(?P<x>[^はのがも、]+?)(?:の色|は(?:何|どんな)|の主な色)")
        if has(
            r"いく[つら]|何(?:個|匹|人|頭|羽|本|枚|台|杯|冊|つ|種類)|数(?:は|を|が|えて)|どれ(?:だけ|くらい)の?数"
        ):
            if has(r"いくら"):
                return Question(kind=Kind.QUALITY)
            if has(r"(?:物|もの)(?:は|が)(?:全部で)?(?:いくつ|何個)|全部で"):
                return Question(kind=Kind.COUNT_ALL)
            return about(
                Kind.COUNT,
                r"(?P<x>[^、はがも]+?)(?:は|が|も|の数|を)(?:全部で)?(?:いく|何|数|どれ|ある|を)",
            )
        if has(
            r"値段|価格|高(?:い|価)|安い|おいし|美味し|大き(?:い|さ)|小さい|古い|新しい|材料|素材|何でできて|重(?:い|さ)|ブランド|メーカー|熱い|冷たい|好き|可愛|かわい|危険|安全|きれい|綺麗|新鮮|食べられ|カロリー|年齢|何歳|長さ|性別|気持ち|感情|値"
        ):
            return Question(kind=Kind.QUALITY)
        if has(r"隣|となり|横に|前に(?!は?何)|上に乗|どちらが|どっちが|比べ|より|間に|同じ"):
            return Question(kind=Kind.RELATION)
        if has(r"どこ|位置|どちら側|どの辺|どのあたり"):
            return about(
                Kind.WHERE,
                r"^(?P<x>[^、はが]+?)(?:は|が)?(?:画像の|写真の)?(?:どこ|どの|どちら|の位置)",
            )
        if has(r"(?:他|ほか)に|それ以外|もう一つ|もうひとつ"):
            return Question(kind=Kind.OTHER if has(r"もう(?:一つ|ひとつ)") else Kind.ELSE)
        if has(r"(?:写真|イラスト|絵|画)(?:です)?か、?.*(?:写真|イラスト|絵|画)(?:です)?か"):
            return Question(kind=Kind.DRAWN)
        if has(r"(?:何|どんな|の)形|形(?:は|を)(?:何|教)"):
            return Question(kind=Kind.SHAPE)
        if has(r"種類|品種|何の(?:動物|果物|野菜|鳥|花|車|食べ物)|犬種"):
            return Question(kind=Kind.WHICH_KIND)
        which = re.search(
            r"どの(?:画像|写真|1?枚)[にがのは]?(?P<x>.*?)(?:が|は|も)?(?:写|映|あり|です|い)", text
        )
        if which is not None:
            return Question(kind=Kind.WHICH_PICTURE, subject=self.subject_of(which["x"]))
        if has(
            r"説明|描写|どんな(?:写真|画像|絵|様子|場面)|(?:写真|画像|内容)(?:について)?(?:を)?教えて|要約|詳しく"
        ):
            return Question(kind=Kind.DESCRIBE)
        if has(r"(?:何|なに|なん)(?:が|か|です|だ|に|と|の|？|$|を見|見)|教えて|名前"):
            return Question(kind=Kind.WHAT)
        place = re.search(
            rf"{_SUBJECT}(?:は|が)(?P<place>(?:左|右|上|下|真ん中|中央)+)(?:側|の方)?(?:に|です)",
            text,
        )
        if place is not None:
            return Question(
                kind=Kind.IS_AT, subject=self.subject_of(place["x"]), place=_places(place["place"])
            )
        present = re.search(
            rf"(?:^|[、に])(?:は)?{_SUBJECT}(?:は|が|も|って)?(?:何か)?{_SEES}", text
        )
        if present is not None and (subject := self.subject_of(present["x"])) is not None:
            return Question(kind=Kind.PRESENCE, subject=subject)
        is_it = re.search(
            r"^(?:これ|それ|あれ)(?:は|って|が)?(?P<x>.+?)(?:です|でしょう|なの|か|だよね|$)", text
        )
        if is_it is not None:
            return self._is_it(is_it["x"])
        is_it = re.search(r"^(?P<x>[^、。]+?)(?:です|でしょう|なの)か?$", text)
        if is_it is not None:
            return self._is_it(is_it["x"])
        also = re.search(r"^(?:では、?|じゃあ、?)?(?P<x>[^、。]+?)は$", text)
        if also is not None:
            return Question(kind=Kind.SAME, subject=self.subject_of(also["x"]))
        return Question(kind=Kind.UNKNOWN)

    def _is_it(self, words: str) -> Question:
        for index, pattern in enumerate(_COLOUR_WORDS):
            if re.fullmatch(rf"(?:{pattern})(?:い|色)?", words):
                return Question(kind=Kind.IS_COLOURED, colours=(index,))
        if "それとも" in words or re.search(r"か、?.+", words):
            parts = re.split(r"(?:ですか)?、?それとも|か、?", words)
            options = tuple(
                o for part in parts if part and (o := self.subject_of(part)) is not None
            )
            if len(options) > 1 and any(option.names for option in options):
                return Question(kind=Kind.EITHER, options=options)
        subject = self.subject_of(words)
        if subject is None:
            return Question(kind=Kind.WHAT)
        if not subject.names:
            return Question(kind=Kind.QUALITY)
        return Question(kind=Kind.IS_IT, options=(subject,))


def _places(text: str) -> tuple[int, ...]:
    return tuple(place for pattern, place in _PLACES if re.search(pattern, text))
