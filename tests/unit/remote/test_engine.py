"""A remote model answers as one of our own does, and each failure of its servers is a sentence."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import to_user_facing
from inference.errors import (
    ContextExceeded,
    InferenceError,
    ModelUnavailable,
    QueueFull,
    ServerFailed,
    TooManyPictures,
    Trouble,
)
from inference.types import FinishReason, Message, Queued, Role, Started, TextDelta
from tests.servers.openai.server import Script, running_openai
from tests.unit.remote.conftest import PICTURE, answer_of, connected, events_of, request
from tests.waiting import until


async def test_a_picture_goes_in_and_words_come_out_one_by_one() -> None:
    async with running_openai() as server, connected(server) as engine:
        events = await events_of(engine, request(temperature=0.5, seed=7, max_new_tokens=40))
    assert isinstance(events[0], Started)
    assert [event.text for event in events[1:-1] if isinstance(event, TextDelta)] == [
        "A ", "red ", "square", ".",
    ]  # fmt: skip
    [body] = server.asked
    parts = body["messages"][0]["content"]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert parts[1]["text"] == "What is this?"
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.5, 7, 40)


async def test_the_end_says_what_the_server_counted() -> None:
    async with running_openai() as server, connected(server) as engine:
        _, finished = await answer_of(engine, request())
    assert finished.reason is FinishReason.STOP
    assert (finished.prompt_tokens, finished.new_tokens) == (4 + 3 + 576, 4)
    assert finished.cached_tokens == 16
    assert 0 <= finished.first_token_s <= finished.total_s


async def test_a_server_that_counts_nothing_gets_an_estimate() -> None:
    script = Script(with_usage=False, owned_by="library", waiting=None, context=None)
    async with running_openai(script) as server, connected(server) as engine:
        _, finished = await answer_of(engine, request())
        assert engine.model.context_tokens == 4096
    assert finished.prompt_tokens > 256
    assert finished.new_tokens == 4


async def test_its_limits_are_those_that_the_server_tells() -> None:
    async with running_openai(Script(max_pictures=2)) as server, connected(server) as engine:
        assert engine.model.context_tokens == 2048
        assert engine.model.max_pictures == 2
        assert engine.model.name == "tiny"
        assert engine.model.device == "vLLM"
        with pytest.raises(TooManyPictures):
            await engine.prompt_tokens(request(pictures=(PICTURE,) * 3).messages)


async def test_a_prompt_is_counted_by_the_server_and_its_pictures_as_the_probe_was() -> None:
    async with running_openai() as server, connected(server) as engine:
        counted = await engine.prompt_tokens(request("one two three").messages)
    assert counted == pytest.approx(4 + 3 + 576, abs=2)


async def test_thoughts_are_never_shown() -> None:
    script = Script(reasoning=["Hm, ", "red."], words=["<think>", "red?", "</think>\n", "Red."])
    async with running_openai(script) as server, connected(server) as engine:
        text, _ = await answer_of(engine, request())
        assert server.asked[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert text == "Red."


async def test_closing_the_stream_stops_the_server() -> None:
    held = asyncio.Event()
    async with running_openai(Script(hold=held)) as server, connected(server) as engine:
        async with aclosing(engine.stream(request())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
            assert server.num_running == 1
        await until(lambda: server.num_running == 0, timeout_s=30)
        assert server.num_broken_off == 1


async def test_an_answer_that_repeats_itself_is_ended_and_the_server_stopped() -> None:
    script = Script(words=["It is a red square on a white wall. "] * 500)
    async with running_openai(script) as server, connected(server) as engine:
        _, finished = await answer_of(engine, request())
        await until(lambda: server.num_running == 0, timeout_s=30)
    assert finished.reason is FinishReason.REPETITION


async def test_a_text_that_ends_the_answer_is_cut_off_and_the_server_stopped() -> None:
    script = Script(words=["A red", " squ", "are on", " a wall"] + [" and on"] * 400)
    async with running_openai(script) as server, connected(server) as engine:
        text, finished = await answer_of(engine, replace(request(), stop=("square",)))
        await until(lambda: server.num_running == 0, timeout_s=30)
    assert text == "A red "
    assert finished.reason is FinishReason.STOP


async def test_a_reader_that_is_slow_is_not_cut_off_by_the_servers_time_limit() -> None:
    script = Script(words=["word "] * 8)
    async with running_openai(script) as server, connected(server, between_s=0.2) as engine:
        words = 0
        async with aclosing(engine.stream(request())) as events:
            async for event in events:
                words += isinstance(event, TextDelta)
                await asyncio.sleep(0.1)
    assert words == 8


async def test_fifty_questions_at_once_are_all_answered() -> None:
    async with (
        running_openai() as server,
        connected(server, at_once=16, max_waiting=50) as engine,
    ):
        asked = [request(thread=str(number), user_id=str(number % 7)) for number in range(50)]
        answers = await asyncio.gather(*(answer_of(engine, one) for one in asked))
        assert {text for text, _ in answers} == {"A red square."}
        assert server.most_running <= 16


async def test_who_waits_in_the_bot_learns_the_position_and_who_does_not_fit_is_refused() -> None:
    held = asyncio.Event()
    async with (
        running_openai(Script(hold=held)) as server,
        connected(server, at_once=1, max_waiting=1) as engine,
    ):
        first = asyncio.create_task(events_of(engine, request()))
        await until(lambda: server.num_running == 1, timeout_s=30)
        second = asyncio.create_task(events_of(engine, request()))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await engine.admitted()
        with pytest.raises(QueueFull):
            await events_of(engine, request())
        held.set()
        await first
        assert (await second)[0] == Queued(1)


async def test_who_waits_at_the_server_learns_that_from_its_metrics() -> None:
    held = asyncio.Event()
    script = Script(hold_first=held, waiting=3)
    seen: list[Any] = []
    async with running_openai(script) as server, connected(server) as engine:

        async def follow() -> None:
            async with aclosing(engine.stream(request())) as events:
                async for event in events:
                    seen.append(event)  # noqa: PERF401 - one by one: the test looks meanwhile

        following = asyncio.create_task(follow())
        await until(lambda: Queued(3) in seen, timeout_s=30)
        script.waiting = 5  # they came later
        script.waiting = 1
        await until(lambda: Queued(1) in seen, timeout_s=30)
        script.waiting = 0
        await until(lambda: Started() in seen, timeout_s=30)
        held.set()
        await following
    assert [event for event in seen if isinstance(event, Queued)] == [Queued(3), Queued(1)]


async def test_a_thread_stays_on_its_server_and_threads_are_spread() -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running_openai()) for _ in range(3)]
        engine = await stack.enter_async_context(connected(*servers))
        for number in range(30):
            for _ in range(2):
                await answer_of(engine, request(str(number), thread=str(number)))
        for server in servers:
            texts = [body["messages"][0]["content"][1]["text"] for body in server.asked]
            assert len(texts) > 2
            assert all(texts.count(text) == 2 for text in texts)


async def test_a_server_that_is_down_costs_nobody_an_answer_and_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    threads = [str(number) for number in range(16)]
    async with running_openai() as one, running_openai() as other, connected(one, other) as engine:
        one.script.status = 503
        for thread in threads:
            text, _ = await answer_of(engine, request(thread=thread))
            assert text == "A red square."
        assert len(other.asked) == len(threads)
        one.script.status = 200
        await until(lambda: "is back" in caplog.text, timeout_s=30)
        one.asked.clear()
        for thread in threads:
            await answer_of(engine, request(thread=thread))
        assert one.asked


async def test_an_answer_that_was_cut_goes_on_at_another_server() -> None:
    cut = Script(cut_after=2)
    async with (
        running_openai(cut) as one,
        running_openai() as other,
        connected(one, other) as engine,
    ):
        for number in range(64):  # until a thread belongs to the one that breaks off
            text, finished = await answer_of(engine, request(thread=str(number), max_new_tokens=40))
            assert text == "A red square."
            if one.asked:
                break
    resumed = other.asked[-1]
    assert resumed["messages"][-1] == {"role": "assistant", "content": "A red"}
    assert (resumed["continue_final_message"], resumed["add_generation_prompt"]) == (True, False)
    assert resumed["max_tokens"] == 38
    assert (finished.reason, finished.new_tokens) == (FinishReason.STOP, 4)


async def test_where_no_server_can_go_on_people_are_told() -> None:
    script = Script(cut_after=2, owned_by="library")
    async with running_openai(script) as server, connected(server) as engine:
        with pytest.raises(ServerFailed) as failed:
            await answer_of(engine, request())
        assert failed.value.trouble is Trouble.CUT


async def test_cut_before_its_first_word_an_answer_is_asked_for_again_anywhere() -> None:
    async with (
        running_openai(Script(cut_after=0, owned_by="library")) as one,
        running_openai(Script(owned_by="library")) as other,
        connected(one, other) as engine,
    ):
        for number in range(4):
            text, _ = await answer_of(engine, request(thread=str(number)))
            assert text == "A red square."


@pytest.mark.parametrize(
    ("script", "expected", "sentence"),
    [
        (Script(status=401), ServerFailed, "server_refuses"),
        (Script(status=404, error="no such model"), ServerFailed, "server_refuses"),
        (Script(status=500), ServerFailed, "server_broken"),
        (Script(status=502), ServerFailed, "server_down"),
        (Script(status=400, error="the template has failed"), InferenceError, "generation_failed"),
        (Script(status=413, error="Request Entity Too Large"), InferenceError, "generation_failed"),
        (Script(status=302, error="elsewhere"), InferenceError, "generation_failed"),
        (Script(status=429, headers={"Retry-After": "3600"}), QueueFull, "queue_full"),
        (Script(raw=[b"data: {not json}\n\n"]), ServerFailed, "server_broken"),
        (Script(raw=[b"data: [1, 2]\n\n"]), ServerFailed, "server_cut"),
        (Script(raw=[b'data: {"error": {"message": "CUDA"}}\n\n']), ServerFailed, "server_cut"),
        (Script(raw=[b"data: " + b"x" * 1_200_000]), ServerFailed, "server_broken"),
        (Script(raw=[]), ServerFailed, "server_cut"),
        (Script(finish_reason="abort", words=[]), ServerFailed, "server_cut"),
    ],
    ids=lambda value: None if not isinstance(value, Script) else f"{value.status}",
)
async def test_every_failure_of_a_server_is_a_sentence(
    script: Script, expected: type[InferenceError], sentence: str
) -> None:
    async with running_openai() as server, connected(server, max_retry_after_s=1) as engine:
        server.script = script
        with pytest.raises(expected) as failed:
            await answer_of(engine, request())
    assert to_user_facing(failed.value).key == sentence


async def test_a_server_that_asks_for_patience_gets_it() -> None:
    async with running_openai() as server, connected(server) as engine:
        server.script = Script(status=429, headers={"Retry-After": "0"}, fail_times=1)
        text, _ = await answer_of(engine, request())
    assert text == "A red square."


async def test_a_server_that_falls_silent_is_given_up() -> None:
    held = asyncio.Event()
    async with running_openai() as server, connected(server, between_s=0.1) as engine:
        server.script = Script(hold=held, owned_by="library")
        with pytest.raises(ServerFailed):
            await answer_of(engine, request())
        await until(lambda: server.num_running == 0, timeout_s=30)


async def test_an_answer_gets_less_room_where_the_context_is_nearly_full() -> None:
    async with running_openai(Script(context=700)) as server, connected(server) as engine:
        text, _ = await answer_of(engine, request(max_new_tokens=512))
    assert text == "A red square."
    assert server.asked[-1]["max_tokens"] == 700 - (4 + 3 + 576)


async def test_a_prompt_that_cannot_fit_is_too_long() -> None:
    async with running_openai() as server, connected(server) as engine:
        with pytest.raises(ContextExceeded) as failed:
            await answer_of(engine, request("word " * 2000))
    assert failed.value.context_tokens == 2048
    assert to_user_facing(failed.value).key == "question_too_long"


async def test_a_server_that_takes_fewer_pictures_than_it_said_is_believed_the_next_time() -> None:
    async with running_openai() as server, connected(server) as engine:
        server.script.max_pictures = 1
        with pytest.raises(TooManyPictures):
            await answer_of(engine, request(pictures=(PICTURE, PICTURE)))
        assert engine.model.max_pictures == 1


async def test_the_key_is_sent_and_stands_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        running_openai(Script(key="sk-secret")) as server,
        connected(server, api_key="sk-secret") as engine,
    ):
        await answer_of(engine, request())
        server.script.key = "another"
        with pytest.raises(ServerFailed) as failed:
            await answer_of(engine, request("words of mine"))
        shown = f"{caplog.text} {failed.value!r} {engine._options!r} {engine.model!r}"
    assert "Bearer sk-secret" in server.keys
    assert "sk-secret" not in shown
    assert "words of mine" not in shown


@pytest.mark.parametrize(
    ("script", "model", "said"),
    [
        (Script(), "tinny", "Did you mean tiny?"),
        (Script(further_models=("large",)), "", "several models (tiny, large)"),
        (Script(model=""), "", "has no model yet"),
        (Script(key="k"), "tiny", "wants a key: set MODEL_SERVER_API_KEY"),
        (Script(max_pictures=0), "tiny", "takes no pictures"),
    ],
)
async def test_what_is_wrong_with_the_setting_is_said_at_the_start(
    script: Script, model: str, said: str
) -> None:
    async with running_openai(script) as server:
        with pytest.raises(ModelUnavailable) as failed:
            async with connected(server, model=model):
                raise AssertionError
    assert said in str(failed.value)


async def test_an_address_without_its_end_is_told_of_it() -> None:
    async with running_openai() as server:
        server.address = server.address.removesuffix("/v1")
        with pytest.raises(ModelUnavailable, match=r"Its address may be http.*/v1"):
            async with connected(server):
                raise AssertionError


async def test_a_server_that_has_one_model_needs_no_name() -> None:
    async with running_openai() as server, connected(server, model="") as engine:
        assert engine.model.name == "tiny"


async def test_forgetting_empties_the_servers_cache() -> None:
    async with running_openai() as server, connected(server) as engine:
        await engine.clear_caches()
        assert server.cleared == 1


async def test_a_conversation_keeps_its_order_and_each_message_its_pictures() -> None:
    messages = (
        Message(role=Role.SYSTEM, text="Be brief."),
        Message(role=Role.USER, text="And this?", pictures=(PICTURE, PICTURE)),
        Message(role=Role.ASSISTANT, text="A square."),
        Message(role=Role.USER, text="Its colour?"),
    )
    async with running_openai() as server, connected(server) as engine:
        asked = request()
        await answer_of(engine, type(asked)(messages=messages, sampling=asked.sampling))
    sent = server.asked[0]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert [part["type"] for part in sent[1]["content"]] == ["image_url", "image_url", "text"]
    assert sent[3]["content"] == "Its colour?"
