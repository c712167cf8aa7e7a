"""The language model's own answers without pictures, so that the adapters do not unlearn talking.

The prompts are made from the lists below; the answers are generated once at the start of training
by the untouched model, cut at the end of a sentence.
"""

# ruff: noqa: E501 - tables of prompts read better in long lines

from __future__ import annotations

import random
import re
from typing import Any

import torch

from inference.pocket.concepts import Concepts

PROMPTS = """Hello!|Hi|Hi there, how are you?|Good morning.|Who are you?|What can you do?|Thank you!|Thanks a lot.|Goodbye.
What is the capital of {place}?|Where is {place}?|Tell me something about {place}.|What language is spoken in {place}?
What is {a} plus {b}?|What is {a} times {b}?|Is {a} larger than {b}?|Count from 1 to {small}.
Tell me a short story about {thing}.|Write a poem about {thing}.|Write one sentence about {thing}.|Why do people like {thing}?
What is {topic}?|Explain {topic} in simple words.|Why is {topic} important?|How does {topic} work?|Give me a tip about {topic}.
Who was {person}?|What is {person} famous for?|What did {person} do?
Tell me a joke.|What should I cook tonight?|How do I make tea?|How do I boil an egg?|What day comes after Monday?|What is the opposite of hot?
How many days are in a week?|How many legs does a spider have?|What do bees make?|Why is the sky blue?|Why is grass green?|What do plants need?
How do I write a letter?|How do I say no politely?|How can I sleep better?|Give me three ideas for a birthday present.|What is a good name for a dog?
Translate "good morning" into French.|What does "hello" mean?|Give me a synonym for happy.|Spell the word picture.|What colour is the sky?
What colour is a banana?|What is a cat?|What is a picture?|What is a camera used for?|Which is bigger, a dog or an elephant?|What colour do you get from blue and yellow?
Summarize: The meeting is moved to Friday because the room is not free on Thursday.|Correct this sentence: He go to school.|Write a short thank-you note.
How do I learn to swim?|What is the fastest animal?|What is the largest ocean?|Can you help me?|I feel sad today.|I am bored.|Do you like music?"""
PLACES = "France|Japan|Brazil|Egypt|Canada|Italy|Kenya|India|Norway|Peru|Spain|China|Turkey|Mexico|Greece|Poland|Paris|London|Tokyo|New York|Rome|Berlin|Africa|the Sahara|the Alps"
THINGS = "the sea|a dog|a cat|the moon|rain|a train|bread|a garden|winter|a robot|an old house|music|a bicycle|coffee|a friend|the forest|a bird|the sun|a river|books"
TOPICS = "gravity|photosynthesis|electricity|democracy|a computer|the internet|water|exercise|sleep|history|mathematics|recycling|a volcano|the heart|money|a vaccine|evaporation|an atom|the weather|software testing|a database|Python|teamwork|honesty"
PEOPLE = "Albert Einstein|Marie Curie|Isaac Newton|Leonardo da Vinci|William Shakespeare|Charles Darwin|Cleopatra|Mozart|Galileo|Abraham Lincoln|Nikola Tesla|Florence Nightingale"
# {} is the class with its article.
KNOWLEDGE = (
    (
        "What is {}?",
        "Tell me more about it.|What is that?|Tell me about it.|What can you tell me about it?",
    ),
    ("What is {} used for?", "What is it used for?|What can I do with it?|What is it for?"),
)


def chat_prompts(rng: random.Random, concepts: Concepts, num_prompts: int) -> list[str]:
    """Return varied prompts without repetition."""
    templates = [t for line in PROMPTS.splitlines() for t in line.split("|")]
    fill = {
        "place": PLACES.split("|"), "thing": THINGS.split("|"), "topic": TOPICS.split("|"),
        "person": PEOPLE.split("|"), "a": [str(i) for i in range(2, 60)],
        "b": [str(i) for i in range(2, 60)], "small": [str(i) for i in range(3, 9)],
    }  # fmt: skip
    prompts = {t: None for t in templates if "{" not in t}
    slotted = [t for t in templates if "{" in t]
    while len(prompts) < num_prompts:
        chosen = {key: rng.choice(values) for key, values in fill.items()}
        prompts[rng.choice(slotted or ["Hi {a}"]).format(**chosen)] = None
        named = rng.choice(concepts.classes).phrase
        prompts[rng.choice(["Tell me about {}.", "What is {}?", "Describe {}."]).format(named)] = (
            None
        )
    return list(prompts)


def clean_answer(text: str, num_sentences: int) -> str | None:
    """Cut an answer after whole sentences; None when there is no clean one."""
    text = re.sub(r"\s+", " ", text.split("\n\n", maxsplit=1)[0]).strip()
    sentences = re.findall(r".+?[.!?](?=\s|$)", text)
    answer = " ".join(s.strip() for s in sentences[:num_sentences])
    broken = not answer or re.search(r"\d\.$|\b(?:e\.g|i\.e|etc|vs|Mr|Dr|St)\.$|[:*]", answer)
    return None if broken or len(answer) > 320 else answer


@torch.no_grad()
def generate_answers(
    model: Any, tokenizer: Any, chats: list[str], *, num_tokens: int, batch: int = 256
) -> list[str]:
    """Let the untouched model answer whole prompts greedily, in batches padded on the left."""
    answers: list[str] = []
    tokenizer.padding_side = "left"
    for start in range(0, len(chats), batch):
        inputs = tokenizer(chats[start : start + batch], return_tensors="pt", padding=True)
        out = model.generate(**inputs.to(model.device), max_new_tokens=num_tokens, do_sample=False)
        new = out[:, inputs["input_ids"].shape[1] :]
        answers += tokenizer.batch_decode(new, skip_special_tokens=True)
    tokenizer.padding_side = "right"
    return answers
