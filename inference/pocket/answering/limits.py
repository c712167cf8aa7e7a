"""What the pocket says where no fact answers: one honest sentence for each kind of question."""

from __future__ import annotations

from typing import Final

from inference.pocket.answering.questions import Kind

ENGLISH: Final = {
    Kind.WHO: "I can't tell who somebody is, or whose something is.",
    Kind.WHERE_TAKEN: "I can't tell where a picture was taken.",
    Kind.WHEN: "I can't tell when a picture was taken.",
    Kind.WHY: "I can't tell why: I only name things, their number, place and colour.",
    Kind.WEATHER: "I can't tell the weather.",
    Kind.DOING: "I can't tell what happens in a picture or what anybody does.",
    Kind.TEXT: "I can't read text in a picture by myself.",
    Kind.PART: "I can't tell the colour of a part, only of a whole thing.",
    Kind.QUALITY: "I can't tell that: I only name things, their number, place and colour.",
    Kind.RELATION: "I can't tell how things relate or compare, only what and where they are.",
    Kind.MATHS: "I can't calculate: I only name things in pictures.",
    Kind.LANGUAGE: "I only understand English and Japanese.",
    Kind.UNKNOWN: "I can't answer that: I only name things, their number, place and colour.",
}
JAPANESE: Final = {
    Kind.WHO: "写っている人が誰かは分かりません。",
    Kind.WHERE_TAKEN: "撮影された場所は分かりません。",
    Kind.WHEN: "いつ撮影されたかは分かりません。",
    Kind.WHY: "理由は分かりません。お答えできるのは物の名前、数、位置、色だけです。",
    Kind.WEATHER: "天気は分かりません。",
    Kind.DOING: "何をしているところかは分かりません。",
    Kind.TEXT: "画像の文字は自分では読めません。",
    Kind.PART: "部分の色は分かりません。お答えできるのは物全体の色だけです。",
    Kind.QUALITY: "それは分かりません。お答えできるのは物の名前、数、位置、色だけです。",
    Kind.RELATION: "物どうしの関係や比較は分かりません。",
    Kind.MATHS: "計算はできません。お答えできるのは写っている物についてだけです。",
    Kind.LANGUAGE: "英語と日本語だけに対応しています。",
    Kind.UNKNOWN: "それにはお答えできません。お答えできるのは物の名前、数、位置、色だけです。",
}
A_LARGER_MODEL: Final = "A larger model such as LLaVA can try."
A_LARGER_MODEL_JA: Final = "LLaVAなどの大きなモデルなら答えられるかもしれません。"
NO_LARGER: Final = frozenset({Kind.LANGUAGE, Kind.WHO, Kind.MATHS, Kind.TEXT})
"""Where a larger model is no help, or should be none."""
SELF: Final = (
    "I am pocket, a small model that names things in pictures, their number, place and colour, in "
    "English and Japanese. I can't read text by myself, and I can't say what people do."
)
SELF_JA: Final = (
    "私はpocketという小さなモデルです。写っている物の名前、数、位置、色を英語と日本語でお答えします。"
    "文字を読むことや、人の行動を説明することはできません。"
)
HELLO: Final = "Hello! Send me a picture and ask what it shows."
HELLO_JA: Final = "こんにちは。画像を送って、何が写っているかお尋ねください。"
THANKS: Final = "You're welcome!"
THANKS_JA: Final = "どういたしまして。"
NO_PICTURE: Final = "I don't see a picture here. Please send one."
NO_PICTURE_JA: Final = "画像が見当たりません。画像を送ってください。"
NOT_SO_MANY: Final = "I don't see a picture {number} here."
NOT_SO_MANY_JA: Final = "{number}枚目の画像は見当たりません。"


def limit(kind: Kind, *, japanese: bool) -> str:
    """Say what it cannot tell, and what can."""
    sentence = (JAPANESE if japanese else ENGLISH)[kind]
    if kind in NO_LARGER:
        return sentence
    return sentence + A_LARGER_MODEL_JA if japanese else f"{sentence} {A_LARGER_MODEL}"
