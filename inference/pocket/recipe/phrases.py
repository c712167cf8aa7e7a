"""Questions about one picture and the clean answers that the rows support.

Only the training recipe reads this: at work every answer is the language model's own. Questions of
one topic share the form of their answer, so that the greedy answer is one sentence and not a blend.
"""

# ruff: noqa: E501, SIM905 - tables of sentences read better in long lines

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from inference.pocket.concepts import (
    COLOURS,
    KIND_SURE,
    REGION_SURE,
    REGIONS,
    SURE,
    Concepts,
)

# Too wide to say of something unknown: "some kind of object" tells nobody anything.
VAGUE_KINDS = frozenset(
    "object animal device structure implement container mammal machine invertebrate plant clothing "
    "furniture food tool".split()
)
LIKELY = 0.5
GUESSING = 0.1

SHOWS = (
    "What is in this picture?|What is in the picture?|What is in this photo?|What's in this image?"
    "|What is in the image?|What does this picture show?|What does the photo show?"
    "|What is shown in this picture?|What is the main thing in this picture?|What's in the picture?"
    "|what is in this picture|What can be seen here?|Tell me what is in this picture."
    "|What is the subject of this photo?|What is in it?|この画像には何が写っていますか?"
    "|この写真には何が写っていますか？|写真に何が写ってる？|この画像は何ですか？|What is pictured here?"
).split("|")
THIS = (
    "What is this?|What's this?|what is this|What is it?|What am I looking at?|what's this"
    "|Can you tell me what this is?|Do you know what this is?|What would you call this?|Identify this."
    "|What is this thing?|Please name this.|Name the object in the picture.|What is that?"
    "|これは何ですか？|これは何？|これ何？|What is this called?|Which thing is this?|What object is this?"
).split("|")
SEE = (
    "What do you see?|What can you see?|What do you see in this picture?|What can you see here?"
    "|Tell me what you see.|What do you see here?|what do you see|何が見えますか？"
).split("|")
DESCRIBE = (
    "Describe this picture.|Describe the picture.|Describe this image.|Describe the image in detail."
    "|Please describe this photo.|Describe it.|Tell me about this picture.|Can you describe this?"
    "|Give me a caption for this picture.|describe|Describe what you see.|Describe this.|"
    "|What is going on in this picture?|What is happening here?|この画像を説明してください。"
    "|この写真について教えてください。|Explain this picture.|Caption this image."
).split("|")
KIND = (
    "What kind is it?|What kind is this?|What kind of thing is it?|What type is it?|What sort is it?"
    "|What kind of {kind} is it?|What kind of {kind} is this?|What type of {kind} is this?"
    "|Which kind of {kind} is that?|What sort of {kind} is it?|Which {kind} is this?|what kind"
    "|And what kind is it?|What kind exactly?|Can you be more specific?|どんな種類ですか？|種類は？"
).split("|")
COLOUR = (
    "What colour is it?|What color is it?|what colour is it|What colour is this?|What color is this?"
    "|What colour does it have?|Which colour is it?|What is its colour?|And the colour?|What color?"
    "|What colour is the {name}?|What color is the {name}?|What colour is the {kind}?"
    "|What color is the {kind}?|Which colour is the {name}?|Tell me its colour.|何色ですか？"
    "|それは何色ですか？|And what colour is it?|What are its colours?|What colors does it have?"
).split("|")
BACKGROUND = (
    "What colour is the background?|What color is the background?|What is the background colour?"
    "|What is in the background?|What is behind it?|And the background?|背景は何色ですか？"
    "|Which colour is the background?|Describe the background."
).split("|")
SURENESS = (
    "How sure are you?|Are you sure?|Are you certain?|How certain are you?|Really?|Is that right?"
    "|How confident are you?|are you sure|本当ですか？"
).split("|")
ELSE = (
    "What else could it be?|Could it be something else?|What is your second guess?"
    "|What else might it be?|Any other guess?"
).split("|")
REGION = (
    "What is on the {region}?|What is at the {region}?|What do you see on the {region}?"
    "|What's on the {region} side?|And on the {region}?|What is in the {region} part of the picture?"
).split("|")
COUNT = "How many are there?|How many {name}s are there?|How many do you see?|Count them.".split(
    "|"
)
LIMITS = (
    "Where was this taken?|Who is this?|Who took this picture?|When was this taken?|What is his name?"
    "|What are the people doing?|What is the person doing?|How old is it?|How big is it?"
    "|What is she wearing?|How much does it cost?"
).split("|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The guesses of one picture, as plain numbers. Indices point into `Concepts`."""

    first: int
    first_probability: float
    second: int
    kind: int
    kind_probability: float
    regions: tuple[int, ...]
    region_probabilities: tuple[float, ...]
    colours: tuple[int, ...]  # one or two
    background: int

    @property
    def sure(self) -> bool:
        return self.first_probability >= SURE


class Speaker:
    """Puts scenes into words."""

    def __init__(self, concepts: Concepts, rng: random.Random) -> None:
        self.concepts = concepts
        self.rng = rng
        self.topics: dict[str, tuple[float, Callable[[Scene], tuple[str, str]]]] = {
            "shows": (4, self.shows),
            "this": (4, self.this),
            "see": (1.5, self.see),
            "describe": (2.5, self.describe),
            "kind": (3, self.kind),
            "colour": (5, self.colour),
            "background": (1.5, self.background),
            "sureness": (1, self.sureness),
            "else": (0.7, self.other_guess),
            "region": (1.5, self.region),
            "is it": (3, self.is_it),
            "is it coloured": (1, self.is_coloured),
            "either or": (1.5, self.either_or),
            "count": (0.5, self.count),
            "limits": (0.7, self.limits),
        }

    def ask(self, scene: Scene, topic: str | None = None) -> tuple[str, str, str]:
        """Return (topic, question, answer), of a random topic unless one is given."""
        if topic is None:
            weights = [weight for weight, _ in self.topics.values()]
            topic = self.rng.choices(list(self.topics), weights)[0]
        question, answer = self.topics[topic][1](scene)
        return topic, question, answer

    def phrase(self, index: int) -> str:
        """The class with its article."""
        return self.concepts.classes[index].phrase

    def kind_name(self, scene: Scene) -> str:
        return self.concepts.kinds[scene.kind].name

    def unsure(self, scene: Scene) -> str:
        """What to say below the threshold."""
        guesses = f"{self.phrase(scene.first)} or {self.phrase(scene.second)}"
        kind = self.kind_name(scene)
        if scene.kind_probability >= KIND_SURE and kind not in VAGUE_KINDS:
            return (
                f"It looks like some kind of {kind}, but I am not sure which. It may be {guesses}."
            )
        if scene.first_probability < GUESSING:
            return f"I am not sure what this is. My best guess is {guesses}."
        return f"I am not sure, but it may be {guesses}."

    def named(self, scene: Scene, start: str) -> str:
        if not scene.sure:
            return self.unsure(scene)
        if scene.first_probability < LIKELY:
            return f"It looks like {self.phrase(scene.first)}."
        return f"{start} {self.phrase(scene.first)}."

    def shows(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(SHOWS), self.named(scene, "The picture shows")

    def this(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(THIS), self.named(scene, "This is")

    def see(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(SEE), self.named(scene, "I see")

    def colour_words(self, scene: Scene) -> str:
        return " and ".join(COLOURS[c] for c in scene.colours)

    def describe(self, scene: Scene) -> tuple[str, str]:
        colours, behind = self.colour_words(scene), COLOURS[scene.background]
        rest = f"It is mostly {colours}, and the background is {behind}."
        return self.rng.choice(DESCRIBE), f"{self.named(scene, 'The picture shows')} {rest}"

    def kind(self, scene: Scene) -> tuple[str, str]:
        kinds = self.concepts.classes[scene.first].kinds
        question = self.rng.choice(KIND).format(kind=self.rng.choice(kinds))
        if not scene.sure:
            return question, self.unsure(scene)
        kind = self.kind_name(scene)
        name = self.concepts.classes[scene.first].name
        said = name.lower().endswith(kind) or kind == "object"
        tail = "" if said else f", a kind of {kind}"
        return question, f"It is {self.phrase(scene.first)}{tail}."

    def colour(self, scene: Scene) -> tuple[str, str]:
        question = self.rng.choice(COLOUR)
        thing = self.concepts.classes[scene.first]
        if "{" in question and scene.sure and self.rng.random() < 0.15:
            other = self.stranger(scene)
            question = question.format(name=other, kind=other)
            article = "an" if other[0] in "aeiou" else "a"
            return question, f"I do not see {article} {other}. I see {thing.phrase}."
        question = question.format(name=thing.name, kind=thing.kinds[0])
        return question, f"It is {self.colour_words(scene)}."

    def stranger(self, scene: Scene) -> str:
        """A kind that none of the guesses belongs to."""
        near = {
            *self.concepts.classes[scene.first].kinds,
            *self.concepts.classes[scene.second].kinds,
        }
        near |= {self.concepts.classes[scene.first].name}
        while True:
            kind = self.rng.choice(self.concepts.kinds)
            if kind.name not in near | VAGUE_KINDS and kind.phrase.startswith("a"):
                return kind.name

    def background(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(BACKGROUND), f"The background is {COLOURS[scene.background]}."

    def sureness(self, scene: Scene) -> tuple[str, str]:
        first = self.phrase(scene.first)
        if scene.first_probability >= 0.65:
            answer = f"I am quite sure that it is {first}."
        elif scene.sure:
            answer = f"I am fairly sure that it is {first}, but I may be wrong."
        else:
            answer = f"I am not sure. It may be {first} or {self.phrase(scene.second)}."
        return self.rng.choice(SURENESS), answer

    def other_guess(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(ELSE), f"It could also be {self.phrase(scene.second)}."

    def region(self, scene: Scene) -> tuple[str, str]:
        i = self.rng.randrange(len(REGIONS))
        where = ("on the " if i < 2 else "at the ") + REGIONS[i]
        question = self.rng.choice(REGION).format(region=REGIONS[i])
        if scene.region_probabilities[i] < REGION_SURE:
            return question, f"I am not sure what is {where}."
        return question, f"I see {self.phrase(scene.regions[i])} {where}."

    def is_it(self, scene: Scene) -> tuple[str, str]:
        thing = self.concepts.classes[scene.first]
        form = "Is it {}?|Is this {}?|Is that {}?|is this {}|Is there {} in the picture?|Do you see {}?"
        form = self.rng.choice(form.split("|"))
        draw = self.rng.random()
        if draw < 0.25:
            asked, answer = thing.phrase, f"Yes, it is {thing.phrase}."
        elif draw < 0.5:
            name = self.rng.choice(thing.kinds)
            asked = self.concepts.kinds[self.concepts.kind_index[name]].phrase
            answer = f"Yes, it is {thing.phrase}."
        elif draw < 0.75:
            name = self.stranger(scene)
            asked = self.concepts.kinds[self.concepts.kind_index[name]].phrase
            answer = f"No, it is {thing.phrase}."
        else:
            other = self.rng.randrange(len(self.concepts.classes))
            asked, answer = self.phrase(other), f"No, it is {thing.phrase}."
            if self.concepts.classes[other].name == thing.name:
                answer = f"Yes, it is {thing.phrase}."
        if not scene.sure:
            word = "It may be" if answer.startswith("Yes") else "I do not think so. It may be"
            answer = f"{word} {thing.phrase} or {self.phrase(scene.second)}, but I am not sure."
        return form.format(asked), answer

    def is_coloured(self, scene: Scene) -> tuple[str, str]:
        asked = self.rng.choice([*scene.colours, self.rng.randrange(len(COLOURS))])
        form = self.rng.choice(["Is it {}?", "Is this {}?", "Is the {name} {}?", "is it {}"])
        question = form.format(COLOURS[asked], name=self.concepts.classes[scene.first].name)
        word = "Yes" if asked in scene.colours else "No"
        return question, f"{word}, it is {self.colour_words(scene)}."

    def either_or(self, scene: Scene) -> tuple[str, str]:
        thing = self.concepts.classes[scene.first]
        kinds = [k for k in thing.kinds if k not in VAGUE_KINDS] or [thing.name]
        draw = self.rng.random()
        right = self.rng.choice(kinds) if draw < 0.6 else thing.name
        wrong = [self.stranger(scene), self.stranger(scene)]
        options = [right, wrong[0]] if draw < 0.85 else wrong
        self.rng.shuffle(options)
        articled = [f"{'an' if o[0] in 'aeiou' else 'a'} {o}" for o in options]
        form = self.rng.choice(["Is this {} or {}?", "Is it {} or {}?", "is it {} or {}"])
        answer = f"It is {thing.phrase}." if right in options else f"Neither. It is {thing.phrase}."
        return form.format(*articled), answer if scene.sure else self.unsure(scene)

    def count(self, scene: Scene) -> tuple[str, str]:
        question = self.rng.choice(COUNT).format(name=self.concepts.classes[scene.first].name)
        return question, f"I cannot count well. {self.named(scene, 'I see')}"

    def limits(self, scene: Scene) -> tuple[str, str]:
        return self.rng.choice(LIMITS), f"I cannot tell that. {self.named(scene, 'I only see')}"
