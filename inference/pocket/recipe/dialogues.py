"""Conversations to train on: pictures as guesses, questions and answers as tokens.

No photo is involved. The class probabilities that a picture would give are drawn (peaked, spread
over classes that the classifier confuses, or flat) and go through the tower's own
:func:`inference.pocket.rows.guess`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from inference.pocket.assemble import IMAGE_TOKEN, SYSTEM
from inference.pocket.concepts import COLOURS, REGIONS, Concepts
from inference.pocket.model import NUM_ROWS
from inference.pocket.recipe.phrases import DESCRIBE, SEE, SHOWS, THIS, Scene, Speaker
from inference.pocket.rows import Guesses, Seen, guess

NO_PICTURE = "I do not see a picture here. Please send one."
OTHER_SYSTEMS = (
    "You are a helpful assistant.",
    "You are llava-bot, an assistant in a team chat. Answer briefly.",
    "Answer the question about the picture in one sentence.",
)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Drawn pictures: the tensors for the rows and the same as numbers for the speaker."""

    guesses: Guesses
    scenes: list[Scene]


@dataclass(slots=True)
class Dialogue:
    """Tokens, which of them are answers, and the pictures in the order of their places."""

    topic: str
    tokens: list[int] = field(default_factory=list)
    is_answer: list[bool] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)


def draw_scenes(
    num: int, similarity: Tensor, membership: Tensor, generator: torch.Generator
) -> Scenes:
    """Draw what the tower could see in `num` pictures.

    Args:
        similarity: (1000, 1000), cosine of the classifier's weights: whom it confuses.
        membership: (1000, num_kinds).
    """
    device = similarity.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    def classes(*shape: int) -> Tensor:
        return torch.randint(len(similarity), shape, generator=generator, device=device)

    first = classes(num)
    sharpness = 3 + 27 * uniform(num, 1)
    noise = uniform(num, len(similarity))
    others = (similarity[first] * sharpness + 3 * noise).scatter(1, first[:, None], -torch.inf)
    # Half the pictures are clear, the others crowd where "sure" turns to "not sure", or below it.
    draw, level = uniform(num), uniform(num)
    top = torch.where(
        draw < 0.5, 0.4 + 0.6 * level, torch.where(draw < 0.7, 0.3 + 0.2 * level, 0.4 * level)
    )
    probabilities = others.softmax(-1) * (1 - top[:, None])
    probabilities.scatter_(1, first[:, None], top[:, None])
    colours = _peaked(uniform(num, len(COLOURS)))
    background = _peaked(uniform(num, len(COLOURS)))
    seen = Seen(
        probabilities, torch.zeros(num, len(REGIONS), 1, device=device), colours, background
    )
    drawn = guess(seen, membership)
    same = uniform(num, len(REGIONS)) < 0.5
    guesses = Guesses(
        **{
            **{f: getattr(drawn, f) for f in drawn.__dataclass_fields__},
            "region": torch.where(same, drawn.first[:, None], classes(num, len(REGIONS))),
            "region_probability": uniform(num, len(REGIONS)) * 0.9,
        }
    )
    return Scenes(guesses, _as_scenes(guesses))


def _peaked(noise: Tensor) -> Tensor:
    sharp = torch.exp(8 * noise)
    return sharp / sharp.sum(-1, keepdim=True)


def _as_scenes(guesses: Guesses) -> list[Scene]:
    values: dict[str, Any] = {f: getattr(guesses, f).tolist() for f in guesses.__dataclass_fields__}
    return [
        Scene(
            first=values["first"][i],
            first_probability=values["first_probability"][i],
            second=values["second"][i],
            kind=values["kind"][i],
            kind_probability=values["kind_probability"][i],
            regions=tuple(values["region"][i]),
            region_probabilities=tuple(values["region_probability"][i]),
            colours=tuple(values["colour"][i][: 1 + values["has_second_colour"][i]]),
            background=values["background"][i],
        )
        for i in range(len(values["first"]))
    ]


class Writer:
    """Writes whole conversations."""

    def __init__(
        self,
        tokenizer: Any,
        concepts: Concepts,
        chats: Sequence[tuple[str, str]],
        knowledge: dict[int, list[tuple[str, str]]],
        rng: random.Random,
    ) -> None:
        self.tokenizer = tokenizer
        self.rng = rng
        self.speaker = Speaker(concepts, rng)
        self.concepts = concepts
        self.chats = chats
        self.knowledge = knowledge
        self.image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        self._tokens: dict[str, list[int]] = {}  # questions and answers come again and again

    def add(self, dialogue: Dialogue, text: str, *, answer: bool = False) -> None:
        """Append text; each `<image>` in it takes the rows of one picture."""
        for i, part in enumerate(text.split(IMAGE_TOKEN)):
            if i > 0:
                dialogue.tokens += [self.image_id] * NUM_ROWS
                dialogue.is_answer += [False] * NUM_ROWS
            if part not in self._tokens:
                self._tokens[part] = self.tokenizer.encode(part) if part else []
            tokens = self._tokens[part]
            dialogue.tokens += tokens
            dialogue.is_answer += [answer] * len(tokens)

    def turn(self, dialogue: Dialogue, question: str, answer: str) -> None:
        self.add(dialogue, f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
        self.add(dialogue, f"{answer}<|im_end|>", answer=True)
        self.add(dialogue, "\n")

    def start(self, topic: str) -> Dialogue:
        dialogue = Dialogue(topic)
        system = SYSTEM if self.rng.random() < 0.85 else self.rng.choice(OTHER_SYSTEMS)
        self.add(dialogue, f"<|im_start|>system\n{system}<|im_end|>\n")
        return dialogue

    def show(self, dialogue: Dialogue, index: int, question: str) -> str:
        dialogue.pictures.append(index)
        after = self.rng.random() < 0.1
        return f"{question}\n{IMAGE_TOKEN}\n" if after else f"{IMAGE_TOKEN}\n{question}"

    def about_picture(self, index: int, scene: Scene, topic: str | None = None) -> Dialogue:
        """One picture and one to four questions, at times with small talk between."""
        name, question, answer = self.speaker.ask(scene, topic)
        dialogue = self.start(name)
        self.turn(dialogue, self.show(dialogue, index, question), answer)
        if topic is not None:
            return dialogue
        for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
            draw = self.rng.random()
            if draw < 0.18 and scene.sure and self.knowledge.get(scene.first):
                self.turn(dialogue, *self.rng.choice(self.knowledge[scene.first]))
            elif draw < 0.26:
                self.turn(dialogue, *self.rng.choice(self.chats))
            else:
                self.turn(dialogue, *self.speaker.ask(scene)[1:])
        return dialogue

    def about_two(self, indices: tuple[int, int], scenes: tuple[Scene, Scene]) -> Dialogue:
        """Two pictures: in one message, or the second later in the thread."""
        dialogue = self.start("two pictures")
        dialogue.pictures += indices
        one, two = scenes
        names = [
            self.speaker.phrase(s.first) if s.sure else f"perhaps {self.speaker.phrase(s.first)}"
            for s in scenes
        ]
        if self.rng.random() < 0.5:
            which = self.rng.randrange(3)
            if which == 2:
                question = self.rng.choice(
                    ["What are these?", "What is in these pictures?", "Compare the pictures."]
                )
                answer = f"The first picture shows {names[0]}, and the second shows {names[1]}."
            else:
                word = ("first", "second")[which]
                asked = self.rng.choice(["What is in the {} picture?", "And the {} one?"])
                question = asked.format(word)
                answer = f"The {word} picture shows {names[which]}."
            self.turn(dialogue, f"{IMAGE_TOKEN}\n{IMAGE_TOKEN}\n{question}", answer)
            return dialogue
        self.turn(dialogue, *self._with_image(self.speaker.ask(one)))
        opener = self.rng.choice(["And this one?", "What about this?", "And this?", "これは？", ""])
        if opener and self.rng.random() < 0.4:
            self.turn(dialogue, f"{IMAGE_TOKEN}\n{opener}", self.speaker.named(two, "This is"))
        else:
            self.turn(dialogue, *self._with_image(self.speaker.ask(two)))
        self.turn(dialogue, *self.speaker.ask(two, "colour")[1:])
        return dialogue

    @staticmethod
    def _with_image(asked: tuple[str, str, str]) -> tuple[str, str]:
        return f"{IMAGE_TOKEN}\n{asked[1]}", asked[2]

    def without_picture(self) -> Dialogue:
        """Small talk, or a question about a picture that is not there."""
        dialogue = self.start("chat")
        if self.rng.random() < 0.3:
            dialogue.topic = "no picture"
            asked = [q for q in (*SHOWS, *THIS, *SEE, *DESCRIBE) if q]
            self.turn(dialogue, self.rng.choice(asked), NO_PICTURE)
        for _ in range(self.rng.choice([1, 1, 2])):
            self.turn(dialogue, *self.rng.choice(self.chats))
        return dialogue

    def with_text(self, index: int, scene: Scene) -> Dialogue:
        """A picture whose text was read by OCR and handed over in the message."""
        dialogue = self.start("text in picture")
        words = " ".join(
            self.rng.choice(self.concepts.names) for _ in range(self.rng.choice([1, 2]))
        )
        words = self.rng.choice([words, words.upper(), words.title()])
        if self.rng.random() < 0.3:
            words += f" {self.rng.randrange(1, 2000)}"
        lead = self.rng.choice(
            [
                "Text in the picture: {}",
                'Text found in the picture: "{}"',
                "Text read from the picture:\n{}",
            ]
        )
        question = self.rng.choice(
            ["What does it say?", "What does the text say?", "What is written here?",
             "Read the text.", "What does the sign say?", "何と書いてありますか？"]
        )  # fmt: skip
        answer = f'It says "{words}".'
        if self.rng.random() < 0.4:
            _, question, answer = self.speaker.ask(scene)
        self.turn(dialogue, self.show(dialogue, index, f"{lead.format(words)}\n{question}"), answer)
        return dialogue

    def any(self, drawn: list[Scene]) -> list[Dialogue]:
        """One conversation for each drawn picture, in the mixture that training uses."""
        dialogues = []
        for i, scene in enumerate(drawn):
            draw = self.rng.random()
            if draw < 0.66:
                dialogues.append(self.about_picture(i, scene))
            elif draw < 0.76:
                other = self.rng.randrange(len(drawn))
                dialogues.append(self.about_two((i, other), (scene, drawn[other])))
            elif draw < 0.81:
                dialogues.append(self.with_text(i, scene))
            else:
                dialogues.append(self.without_picture())
        return dialogues
