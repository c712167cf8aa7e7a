"""The recipe: trains the delta from a seed, without pictures.

What moves: low-rank adapters in the language model, the columns of the projector's first layer
that stand for no name (roles, buckets, colours), and its second layer. The columns of names stay
the language model's own word vectors, so a class that training met rarely is spoken as well as
another.
"""

# ruff: noqa: T201 - the recipe tells how it fares on standard error

from __future__ import annotations

import math
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from inference.pocket.assemble import (
    IMAGE_TOKEN,
    STOP_TOKEN,
    anchored_columns,
    load_language_model,
    load_tokenizer,
    membership_of,
    name_tokens,
    trained_start,
)
from inference.pocket.concepts import Concepts, load_concepts
from inference.pocket.efficientnet import fold_released
from inference.pocket.lora import LoraLinear, add_lora
from inference.pocket.recipe.dialogues import Dialogue, Scenes, Writer, draw_scenes
from inference.pocket.recipe.replay import (
    KNOWLEDGE,
    chat_prompts,
    clean_answer,
    generate_answers,
)
from inference.pocket.rows import Guesses, compose

SEED = 20240607
IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Sizes of one training run."""

    steps: int = 1100
    batch: int = 48
    num_chats: int = 1200
    num_known_classes: int = 1000
    lora_rate: float = 6e-4
    columns_rate: float = 2e-3
    layer_rate: float = 1e-4
    warmup: int = 60
    num_checked: int = 24  # held-out questions a topic
    device: str = "cpu"


@dataclass
class Student:
    """The model in training: the language model with adapters, and the projector in pieces."""

    language: Any
    tokenizer: Any
    concepts: Concepts
    adapted: dict[str, LoraLinear]
    names: Tensor  # (hidden, name columns), frozen
    columns: nn.Parameter  # (hidden, other columns)
    layer: nn.Parameter  # (hidden, hidden)
    name_lengths: Tensor
    similarity: Tensor
    membership: Tensor
    image_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.image_id = self.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)

    @classmethod
    def load(cls, gguf: Path, released: Path, device: str) -> Student:
        """Read the released parts and put fresh adapters in."""
        concepts = load_concepts()
        tokenizer = load_tokenizer(gguf)
        language = load_language_model(gguf).to(device).requires_grad_(False)
        embeddings = language.get_input_embeddings().weight
        first_layer = anchored_columns(tokenizer, embeddings.cpu(), concepts).to(device)
        start = trained_start(concepts)
        lengths = torch.tensor([len(t) for t in name_tokens(tokenizer, concepts)])
        state = fold_released(torch.load(released, map_location=device, weights_only=True))
        weight = F.normalize(state["classifier.weight"].flatten(1), dim=-1)
        return cls(
            language=language,
            tokenizer=tokenizer,
            concepts=concepts,
            adapted=add_lora(language.model),
            names=first_layer[:, :start].contiguous(),
            columns=nn.Parameter(first_layer[:, start:].clone()),
            layer=nn.Parameter(torch.eye(first_layer.shape[0], device=device)),
            name_lengths=lengths.to(device),
            similarity=weight @ weight.T,
            membership=membership_of(concepts).to(device),
        )

    def picture_vectors(self, guesses: Guesses) -> Tensor:
        """What the projector makes of the rows. Shape: (num_pictures * num_rows, hidden)."""
        rows = compose(guesses, self.name_lengths).flatten(0, 1)
        start = self.names.shape[1]
        words = rows[:, :start] @ self.names.T + rows[:, start:] @ self.columns.T
        return words @ self.layer.T

    def embed(self, ids: Tensor, guesses: Guesses | None) -> Tensor:
        """Word vectors, with pictures in their places. Shape: (batch, length, hidden)."""
        place = ids == self.image_id
        embedded: Tensor = self.language.get_input_embeddings()(ids.masked_fill(place, 0))
        if guesses is None:
            return embedded
        return embedded.masked_scatter(place[..., None], self.picture_vectors(guesses).to(embedded))

    def delta(self) -> dict[str, Tensor]:
        """The trained values, as `assemble` reads them."""
        values = {"bridge.columns": self.columns, "bridge.linear_2": self.layer}
        for name, layer in self.adapted.items():
            values[f"lora.{name}.down"] = layer.down
            values[f"lora.{name}.up"] = layer.up
        return {k: v.detach().half().cpu().contiguous() for k, v in values.items()}


def train(gguf: Path, released: Path, recipe: Recipe, out: Path) -> dict[str, float]:
    """Train, write the delta to `out`, and return the held-out figures."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    student = Student.load(gguf, released, recipe.device)
    print(f"{_num_trained(student):,} trained parameters", file=sys.stderr)
    chats, knowledge = make_replay(student, recipe, rng)
    held_out = chats[: max(8, len(chats) // 20)]
    chats = chats[len(held_out) :]
    writer = Writer(student.tokenizer, student.concepts, chats, knowledge, rng)
    _optimise(student, writer, recipe)
    save_file(student.delta(), out)
    figures = check(student, writer, recipe)
    figures["replay KL (nats a token)"] = replay_kl(student, held_out)
    return figures


def _num_trained(student: Student) -> int:
    layers = [p for layer in student.adapted.values() for p in (layer.down, layer.up)]
    return sum(p.numel() for p in [*layers, student.columns, student.layer])


def make_replay(
    student: Student, recipe: Recipe, rng: random.Random
) -> tuple[list[tuple[str, str]], dict[int, list[tuple[str, str]]]]:
    """Let the untouched model talk: small talk, and what it knows of each class.

    Returns:
        (prompt, answer) pairs, and for each class pairs of a follow-up question and its answer.
    """
    tokenizer, concepts = student.tokenizer, student.concepts
    prompts = chat_prompts(rng, concepts, recipe.num_chats)
    asked = [
        (index, follow_ups, form.format(thing.phrase))
        for index, thing in enumerate(concepts.classes[: recipe.num_known_classes])
        for form, follow_ups in KNOWLEDGE
    ]
    chats = [_prompt(tokenizer, p) for p in prompts]
    answers = _untouched(student, chats, 80)
    small_talk = [
        (p, c) for p, a in zip(prompts, answers, strict=True) if (c := clean_answer(a, 3))
    ]
    answers = _untouched(student, [_prompt(tokenizer, text) for _, _, text in asked], 48)
    knowledge: dict[int, list[tuple[str, str]]] = {}
    for (index, follow_ups, _), answer in zip(asked, answers, strict=True):
        clean = clean_answer(answer, 1)
        # It happens that the small model forgets what it was asked about.
        if clean and concepts.classes[index].name.split()[-1].lower() in clean.lower():
            pairs = knowledge.setdefault(index, [])
            pairs += [(question, clean) for question in follow_ups.split("|")]
    print(f"{len(small_talk)} chats, {len(knowledge)} classes known", file=sys.stderr)
    rng.shuffle(small_talk)
    return small_talk, knowledge


def _prompt(tokenizer: Any, text: str) -> str:
    messages = [{"role": "user", "content": text}]
    prompt: str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    return prompt


def _untouched(student: Student, chats: list[str], num_tokens: int) -> list[str]:
    set_active(student, active=False)
    answers = generate_answers(student.language, student.tokenizer, chats, num_tokens=num_tokens)
    set_active(student, active=True)
    return answers


def _select(drawn: Scenes, indices: list[int], device: str) -> Guesses | None:
    if not indices:
        return None
    chosen = torch.tensor(indices, device=device)
    fields = drawn.guesses.__dataclass_fields__
    return Guesses(**{f: getattr(drawn.guesses, f)[chosen] for f in fields})


def collate(dialogues: list[Dialogue], device: str, pad: int) -> tuple[Tensor, Tensor]:
    """Pad on the right. Returns ids and labels, (batch, length); labels at the answers only."""
    length = max(len(d.tokens) for d in dialogues)
    ids = torch.full((len(dialogues), length), pad)
    labels = torch.full((len(dialogues), length), IGNORED)
    for i, d in enumerate(dialogues):
        tokens = torch.tensor(d.tokens)
        ids[i, : len(tokens)] = tokens
        labels[i, : len(tokens)] = tokens.masked_fill(~torch.tensor(d.is_answer), IGNORED)
    return ids.to(device), labels.to(device)


def answer_logits(student: Student, embedded: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits that predict answer tokens, (num_answer_tokens, vocabulary), and those."""
    hidden = student.language.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    wanted = labels[:, 1:] != IGNORED
    return student.language.lm_head(hidden[:, :-1][wanted]).float(), labels[:, 1:][wanted]


def _optimise(student: Student, writer: Writer, recipe: Recipe) -> None:
    device = recipe.device
    generator = torch.Generator(device=device).manual_seed(SEED)
    adapters = [p for layer in student.adapted.values() for p in (layer.down, layer.up)]
    optimiser = torch.optim.AdamW(
        [
            {"params": adapters, "lr": recipe.lora_rate},
            {"params": [student.columns], "lr": recipe.columns_rate},
            {"params": [student.layer], "lr": recipe.layer_rate},
        ],
        weight_decay=0.0,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            min(1, (step + 1) / recipe.warmup)
            * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / recipe.steps)))
        ),
    )
    pad = student.tokenizer.convert_tokens_to_ids(STOP_TOKEN)
    started = time.monotonic()
    for step in (bar := tqdm(range(recipe.steps), file=sys.stderr, mininterval=5)):
        drawn = draw_scenes(recipe.batch, student.similarity, student.membership, generator)
        dialogues = writer.any(drawn.scenes)
        pictures = _select(drawn, [p for d in dialogues for p in d.pictures], device)
        ids, labels = collate(dialogues, device, pad)
        # bfloat16 is emulated on most CPUs, a hundred times slower than float32.
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.startswith("cuda")):
            loss = _loss(student, dialogues, pictures, ids, labels)
        loss.backward()
        nn.utils.clip_grad_norm_([*adapters, student.columns, student.layer], 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 50 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    print(f"trained in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _loss(
    student: Student,
    dialogues: list[Dialogue],
    pictures: Guesses | None,
    ids: Tensor,
    labels: Tensor,
) -> Tensor:
    """The wanted answers where there is a picture; in small talk, the untouched model's own odds.

    Small talk is learnt from the whole distribution and not from its likeliest answer: repeated
    answers would be learnt by heart, and everything beside them forgotten.
    """
    talk = torch.tensor([d.topic == "chat" for d in dialogues], device=ids.device)
    embedded = student.embed(ids, pictures)
    logits, targets = answer_logits(student, embedded, labels)
    is_talk = talk[:, None].expand_as(labels)[:, 1:][labels[:, 1:] != IGNORED]
    loss = F.cross_entropy(logits[~is_talk], targets[~is_talk], reduction="sum")
    if is_talk.any():
        set_active(student, active=False)
        with torch.no_grad():
            own = answer_logits(student, embedded[talk], labels[talk])[0].log_softmax(-1)
        set_active(student, active=True)
        talked = logits[is_talk].log_softmax(-1)
        loss = loss + F.kl_div(talked, own, log_target=True, reduction="sum")
    return loss / len(targets)


def set_active(student: Student, *, active: bool) -> None:
    """Switch the adapters on or off; off, the language model is the released one."""
    for layer in student.adapted.values():
        layer.active = active


@torch.no_grad()
def check(student: Student, writer: Writer, recipe: Recipe) -> dict[str, float]:
    """Ask held-out questions; return the share of answers equal to the wanted one, by topic."""
    generator = torch.Generator(device=recipe.device).manual_seed(SEED + 1)
    drawn = draw_scenes(recipe.num_checked, student.similarity, student.membership, generator)
    figures: dict[str, float] = {}
    for topic in [*writer.speaker.topics, "two pictures", "text in picture", "no picture"]:
        dialogues = []
        for i, scene in enumerate(drawn.scenes):
            other = (i + 1) % len(drawn.scenes)
            if topic == "two pictures":
                pair = (scene, drawn.scenes[other])
                dialogues.append(writer.about_two((i, other), pair))
            elif topic == "text in picture":
                dialogues.append(writer.with_text(i, scene))
            elif topic == "no picture":
                dialogues.append(_no_picture(writer))
            else:
                dialogues.append(writer.about_picture(i, scene, topic))
        answers = _replies(student, dialogues, drawn, recipe.device)
        wrong = [(got, want) for got, want in answers if got != want]
        figures[topic] = 1 - len(wrong) / len(answers)
        for got, want in wrong[:2]:
            print(f"  {topic}: got {got!r}, wanted {want!r}", file=sys.stderr)
    print(Counter(d.topic for d in writer.any(drawn.scenes)), file=sys.stderr)
    return figures


def _no_picture(writer: Writer) -> Dialogue:
    while True:
        dialogue = writer.without_picture()
        if dialogue.topic == "no picture":
            return dialogue


def _replies(
    student: Student, dialogues: list[Dialogue], drawn: Scenes, device: str
) -> list[tuple[str, str]]:
    """Answer the first question after the last picture of each; return (answer, wanted answer)."""
    prompts, wanted = [], []
    for dialogue in dialogues:
        tokens, answered = dialogue.tokens, dialogue.is_answer
        last = max((i for i, t in enumerate(tokens) if t == student.image_id), default=0)
        start = answered.index(True, last)
        prompts.append(tokens[:start])
        wanted.append(tokens[start : answered.index(False, start)])
    stop = student.tokenizer.convert_tokens_to_ids(STOP_TOKEN)
    length = max(map(len, prompts))
    ids = torch.tensor([[stop] * (length - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts], device=device)
    shown = _select(drawn, [p for d in dialogues for p in d.pictures], device)
    out = student.language.generate(
        inputs_embeds=student.embed(ids, shown),
        attention_mask=mask,
        max_new_tokens=72,
        do_sample=False,
        eos_token_id=stop,
        pad_token_id=stop,
    )
    answers = []
    for row in out.tolist():
        end = row.index(stop) + 1 if stop in row else len(row)
        answers.append(student.tokenizer.decode(row[:end]))
    return list(zip(answers, map(student.tokenizer.decode, wanted), strict=True))


@torch.no_grad()
def replay_kl(student: Student, chats: list[tuple[str, str]]) -> float:
    """Mean divergence of the trained from the untouched model on answers it was not shown."""
    total, count = 0.0, 0
    for prompt, answer in chats:
        start = student.tokenizer.encode(_prompt(student.tokenizer, prompt))
        end = student.tokenizer.encode(answer)
        ids = torch.tensor([start + end], device=student.names.device)
        labels = ids.clone()
        labels[:, : len(start)] = IGNORED
        embedded = student.embed(ids, None)
        trained = answer_logits(student, embedded, labels)[0].log_softmax(-1)
        set_active(student, active=False)
        untouched = answer_logits(student, embedded, labels)[0].log_softmax(-1)
        set_active(student, active=True)
        total += F.kl_div(trained, untouched, log_target=True, reduction="sum").item()
        count += len(end)
    return total / count
