"""Each chat template gets messages of the shape that it expects."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.backends.load import Loaded, load_model, load_weights
from inference.errors import ModelUnavailable
from inference.models.llava import VICUNA_SYSTEM
from inference.progress import StreamProgress
from inference.prompts.rendering import Renderer
from inference.serving.backend import run_inline
from inference.types import GenerationRequest, Message, ModelSpec, Role, Sampling
from tests.pictures import plain_picture
from tests.tiny_models import CHATML_TEMPLATE

# Each has the shape of templates that are in use.
PARTS = CHATML_TEMPLATE.replace("IMAGE", "<image>\n")
STRING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ADDED_STRING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT_PARTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The user's content is a list, what the model has said is a string.
MIXED = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'user' %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n"
    "{% endif %}" + PARTS
)
NO_GENERATION_PROMPT = PARTS.replace("{% if add_generation_prompt %}", "{% if false %}")
# As Mistral's: it raises on a system message and on turns that do not alternate.
INSTRUCT = (
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}"
    "{% if m['role'] == 'user' %}[INST] {% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %} [/INST]"
    "{% else %} {{ m['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
)
STRING_INSTRUCT = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' if m['role'] == 'user' else m['content'] + '</s>' }}"
    "{% endfor %}"
)
DROPS_SYSTEM = PARTS.replace(
    "{% for message in messages %}",
    "{% for message in messages if message['role'] != 'system' %}",
)
# As Llama 3.2's: a system message, or pictures.
SYSTEM_OR_PICTURES = (
    "{% if messages[0]['role'] == 'system' %}{% for m in messages %}"
    "{% if m['content'] | selectattr('type', 'equalto', 'image') | list %}"
    "{{ raise_exception('Prompting with images is incompatible with system messages.') }}"
    "{% endif %}{% endfor %}{% endif %}" + PARTS
)
SYSTEM_IS_A_STRING = PARTS.replace(
    "{% for message in messages %}",
    "{% if messages[0]['role'] == 'system' %}"
    "{{ '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}"
    "{% set messages = messages[1:] %}{% endif %}{% for message in messages %}",
)

TEMPLATES = {
    "parts": PARTS,
    "string": STRING,
    "added string": ADDED_STRING,
    "text parts": TEXT_PARTS,
    "mixed": MIXED,
    "default system": DEFAULT_SYSTEM,
    "no generation prompt": NO_GENERATION_PROMPT,
    "instruct": INSTRUCT,
    "string instruct": STRING_INSTRUCT,
    "drops system": DROPS_SYSTEM,
    "system or pictures": SYSTEM_OR_PICTURES,
    "system is a string": SYSTEM_IS_A_STRING,
}
KNOW_SYSTEM = {
    "parts",
    "string",
    "added string",
    "text parts",
    "mixed",
    "default system",
    "no generation prompt",
    "system is a string",
}

SYSTEM = Message(role=Role.SYSTEM, text="Be brief.")
ANSWER = Message(role=Role.ASSISTANT, text="A cat.")


def asked(text: str, *, pictures: int = 0) -> Message:
    colours = ((200, 30, 30), (30, 200, 30))
    return Message(
        role=Role.USER, text=text, pictures=tuple(plain_picture(c) for c in colours[:pictures])
    )


Checkpoint = Callable[..., Path]


@pytest.fixture
def with_template(tiny_checkpoint: Callable[[str], Path], tmp_path: Path) -> Checkpoint:
    """A tiny checkpoint with another chat template, or with none."""

    def build(template: str | None, family: str = "llava-onevision") -> Path:
        return copied(tiny_checkpoint(family), tmp_path, template)

    return build


def copied(checkpoint: Path, folder: Path, template: str | None) -> Path:
    for file in checkpoint.iterdir():
        if file.is_file() and file.name != "chat_template.jinja":
            (folder / file.name).write_bytes(file.read_bytes())
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


Dialect = Callable[[str], Loaded]


@pytest.fixture(scope="module")
def dialect(
    tiny_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Dialect:
    """A tiny model with one of the `TEMPLATES`; each is loaded once, as no test changes it."""

    @functools.cache
    def loaded(name: str) -> Loaded:
        folder = tmp_path_factory.mktemp("dialect")
        return load(copied(tiny_checkpoint("llava-onevision"), folder, TEMPLATES[name]))

    return loaded


def load(folder: Path) -> Loaded:
    return load_weights(
        ModelSpec(name=str(folder)), cache_dir=folder, progress=StreamProgress(io.StringIO())
    )


def prompt_of(loaded: Loaded, *messages: Message) -> str:
    renderer = Renderer(loaded.processor, loaded.family, max_pictures=loaded.model.max_pictures)
    return renderer.render(messages)[0]


# -- dialects -----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_shows_every_message_and_picture_once(template: str, dialect: Dialect) -> None:
    loaded = dialect(template)
    prompt = prompt_of(
        loaded, asked("What is this?", pictures=2), ANSWER, asked("And this?", pictures=1)
    )
    for text in ("What is this?", "A cat.", "And this?"):
        assert prompt.count(text) == 1
    assert prompt.count("<image>") == 3
    assert "'type'" not in prompt
    first, then = prompt.split("A cat.")
    assert first.index("<image>") < first.rindex("<image>") < first.index("What is this?")
    assert then.index("<image>") < then.index("And this?")


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_system_prompt_reaches_the_model_once_and_first(
    template: str, dialect: Dialect
) -> None:
    loaded = dialect(template)
    prompt = prompt_of(loaded, SYSTEM, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert prompt.count("Be brief.") == 1
    assert prompt.index("Be brief.") < prompt.index("What?") < prompt.index("Why?")
    assert "'type'" not in prompt
    if template in KNOW_SYSTEM:
        assert prompt.index("system\nBe brief.") < prompt.index("<image>")
    else:
        assert "<image>\nBe brief.\n\nWhat?" in prompt


@pytest.mark.parametrize("template", TEMPLATES)
def test_two_consecutive_questions_are_accepted(template: str, dialect: Dialect) -> None:
    loaded = dialect(template)
    prompt = prompt_of(loaded, SYSTEM, asked("What?", pictures=1), asked("Why?", pictures=1))
    assert prompt.index("Be brief.") < prompt.index("What?") < prompt.index("Why?")
    assert prompt.count("<image>") == 2


@pytest.mark.parametrize("template", ["string", "string instruct", "instruct", "mixed"])
def test_the_model_answers_with_each_template(template: str, with_template: Checkpoint) -> None:
    folder = with_template(TEMPLATES[template])
    spec = ModelSpec(name=str(folder))
    backend = load_model(spec, cache_dir=folder, progress=StreamProgress(io.StringIO()))
    run_inline(
        backend,
        GenerationRequest(
            messages=(SYSTEM, asked("What?", pictures=1), ANSWER, asked("Why?", pictures=1)),
            sampling=Sampling(temperature=0.0, max_new_tokens=3),
        ),
    )


def test_a_placeholder_in_a_users_text_stays_text(with_template: Checkpoint) -> None:
    loaded = load(with_template(STRING))
    assert prompt_of(loaded, asked("<image> What?", pictures=1)).count("<image>") == 1


# -- where templates are found ------------------------------------------------------------------


# transformers leaves these files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_default_one_of_several_templates_is_used(with_template: Checkpoint) -> None:
    folder = with_template(PARTS)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "rag.jinja").write_text("{{ raise_exception('no') }}")
    assert "<|im_start|>user" in prompt_of(load(folder), asked("What?"))


def set_tokenizers_template(folder: Path, template: object) -> None:
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": template}))


def test_several_templates_without_a_default_are_refused_by_name(
    with_template: Checkpoint,
) -> None:
    folder = with_template(None)
    named = [{"name": name, "template": PARTS} for name in ("tools", "rag")]
    set_tokenizers_template(folder, named)
    with pytest.raises(ModelUnavailable, match=r"several chat templates \(rag, tools\)"):
        load(folder)


@pytest.mark.parametrize("listed", [False, True])
def test_the_tokenizers_template_is_used_if_the_processor_has_none(
    listed: bool, with_template: Checkpoint
) -> None:
    folder = with_template(None)
    named = [{"name": "default", "template": STRING}, {"name": "rag", "template": "{{ 1 }}"}]
    set_tokenizers_template(folder, named if listed else STRING)
    prompt = prompt_of(load(folder), asked("What?", pictures=1))
    assert prompt == "<|im_start|>user\n<image>\nWhat?<|im_end|>\n<|im_start|>assistant\n"


def test_a_llava_with_another_template_in_its_tokenizer_is_no_vicuna(
    with_template: Checkpoint,
) -> None:
    folder = with_template(None, "llava-1.5")
    assert load(folder).family.name == "llava-1.5"
    set_tokenizers_template(folder, PARTS)
    loaded = load(folder)
    assert loaded.family.name == "llava"
    assert "<|im_start|>user\n<image>\nWhat?" in prompt_of(loaded, asked("What?", pictures=1))


# As llava-hf's own, and as one that takes strings and ends answers itself.
VICUNAS = {
    "llava-hf": (
        "{% for message in messages %}{% if message['role'] != 'system' %}"
        "{{ message['role'].upper() + ': ' }}{% endif %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
        "{{ '<image>\n' }}{% endfor %}{% if message['role'] != 'assistant' %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
        "{{ content['text'] + ' ' }}{% endfor %}{% else %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
        "{% generation %}{{ content['text'] + ' ' }}{% endgeneration %}{% endfor %}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    ),
    "strings": (
        "{{ bos_token }}" + VICUNA_SYSTEM + " {% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ 'USER: ' + m['content'] + ' ' }}{% else %}"
        "{{ 'ASSISTANT: ' + m['content'] + eos_token }}{% endif %}{% endfor %}ASSISTANT:"
    ),
}
NO_VICUNAS = {
    "other roles": VICUNAS["llava-hf"].replace(
        "message['role'].upper()", "('HUMAN' if message['role'] == 'user' else 'ASSISTANT')"
    ),
    "another system sentence": "Answer as a doctor. " + VICUNAS["llava-hf"],
    "other words before an answer": VICUNAS["llava-hf"].replace(
        "'ASSISTANT:'", "'ASSISTANT: Let me think.'"
    ),
    "another end of a turn": VICUNAS["llava-hf"].replace(
        "+ ' ' }}{% endfor", "+ '<end>' }}{% endfor"
    ),
}


@pytest.mark.parametrize("template", VICUNAS)
def test_a_template_that_writes_llava_1_5s_turns_is_replaced_by_its_training_prompts(
    template: str, with_template: Checkpoint
) -> None:
    loaded = load(with_template(VICUNAS[template], "llava-1.5"))
    assert loaded.family.name == "llava-1.5"
    prompt = prompt_of(loaded, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert prompt == (
        f"{VICUNA_SYSTEM} USER: <image>\nWhat? ASSISTANT: A cat.</s>USER: Why? ASSISTANT:"
    )


@pytest.mark.parametrize("template", NO_VICUNAS)
def test_a_fine_tunes_own_template_is_obeyed_though_it_says_assistant(
    template: str, with_template: Checkpoint
) -> None:
    assert "ASSISTANT:" in NO_VICUNAS[template] or "'ASSISTANT'" in NO_VICUNAS[template]
    loaded = load(with_template(NO_VICUNAS[template], "llava-1.5"))
    assert loaded.family.name == "llava"
    prompt = prompt_of(loaded, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert VICUNA_SYSTEM not in prompt
    own = ("HUMAN: ", "Answer as a doctor. ", "Let me think.", "<end>")
    assert any(words in prompt for words in own)


# -- none, or none that can be used -------------------------------------------------------------


def test_llava_next_over_mistral_without_a_template_gets_the_prompts_it_was_trained_on(
    with_template: Checkpoint,
) -> None:
    loaded = load(with_template(None, "llava-next"))
    prompt = prompt_of(loaded, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert prompt == "[INST] <image>\nWhat? [/INST] A cat. </s>[INST] Why? [/INST]"
    prompt = prompt_of(loaded, SYSTEM, asked("What?", pictures=1))
    assert prompt == "[INST] <image>\nBe brief.\n\nWhat? [/INST]"


def over_llama(folder: Path, **text: object) -> Path:
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    settings["text_config"] |= {"model_type": "llama"} | text
    file.write_text(json.dumps(settings))
    return folder


def test_llava_next_over_vicuna_without_a_template_gets_the_prompts_it_was_trained_on(
    with_template: Checkpoint,
) -> None:
    loaded = load(over_llama(with_template(None, "llava-next")))
    prompt = prompt_of(loaded, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert prompt.endswith("USER: <image>\nWhat? ASSISTANT: A cat.</s>USER: Why? ASSISTANT:")
    assert loaded.family.turn_marks


def test_a_llava_next_whose_prompts_are_unknown_is_refused(
    with_template: Checkpoint,
) -> None:
    folder = over_llama(with_template(None, "llava-next"), vocab_size=64_064)
    with pytest.raises(ModelUnavailable, match="has no chat template") as e:
        load(folder)
    assert "put the chat_template.jinja of the model it was made from" in str(e.value)


@pytest.mark.parametrize("family", ["llava-onevision", "smolvlm", "qwen2.5-vl"])
def test_a_model_without_a_template_is_refused_with_the_remedy(
    family: str, with_template: Checkpoint
) -> None:
    with pytest.raises(ModelUnavailable, match="has no chat template"):
        load(with_template(None, family))


UNUSABLE = {
    "no question": "{% for m in messages %}{{ m['role'] }}{% endfor %}",
    "only the last question": "{% set m = messages[-1] %}{{ m['content'][0]['text'] }}",
    "questions twice": STRING.replace("{{ m['content'] | trim }}", "{{ m['content'] * 2 }}"),
    "raises": "{{ raise_exception('not for chats') }}",
    "no Jinja": "{% for m in messages %}",
}


@pytest.mark.parametrize("template", UNUSABLE)
def test_a_template_that_drops_messages_is_refused(
    template: str, with_template: Checkpoint
) -> None:
    with pytest.raises(ModelUnavailable, match="does not show questions, answers and pictures"):
        load(with_template(UNUSABLE[template]))


def test_a_template_with_another_placeholder_is_rendered_with_the_models_own(
    with_template: Checkpoint,
) -> None:
    prompt = prompt_of(
        load(with_template(PARTS.replace("<image>", "[IMG]"))), asked("?", pictures=1)
    )
    assert prompt.count("<image>") == 1
    assert "[IMG]" not in prompt


OWN_PROMPTS = {
    "llava-next": "SYSTEM: Be brief. USER: <image>\nWhat? ASSISTANT: A cat. USER: Why? ASSISTANT:",
    # Its space after a colon gives way to a picture.
    "smolvlm": "<|im_start|>System: Be brief.<end_of_utterance>\nUser:<image>What?"
    "<end_of_utterance>\nAssistant: A cat.<end_of_utterance>\nUser: Why?<end_of_utterance>\n"
    "Assistant:",
    "internvl3": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<IMG_CONTEXT>\n"
    "What?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n<|im_start|>user\nWhy?"
    "<|im_end|>\n<|im_start|>assistant\n",
}


@pytest.mark.parametrize("family", OWN_PROMPTS)
def test_a_familys_own_template_is_used_unchanged(
    family: str, tiny_checkpoint: Callable[[str], Path]
) -> None:
    loaded = load(tiny_checkpoint(family))
    prompt = prompt_of(loaded, SYSTEM, asked("What?", pictures=1), ANSWER, asked("Why?"))
    assert prompt == (OWN_PROMPTS[family])
