"""`tests.benchmarks.peers`: every peer has its figures or a reason, in one table."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import pytest

from inference.bench import random_models
from inference.catalogue import shapes
from tests.benchmarks import growth
from tests.benchmarks.peers import __main__ as peers
from tests.benchmarks.peers import llama_cpp, marlin, ours, random_gguf, vllm_engine
from tests.benchmarks.peers.results import Result, Workload, result_in, table

WORKLOAD = Workload(
    model="Qwen/Qwen3-VL-8B-Instruct",
    few_bits=True,
    threads=(1, 8),
    prompt_tokens=40,
    new_tokens=16,
)


def program(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)
    return file


def test_what_is_not_installed_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    results = [
        llama_cpp.measure(WORKLOAD, folder=tmp_path, gguf=None),
        vllm_engine.measure(WORKLOAD, python="/nowhere/python"),
        marlin.measure(WORKLOAD),
    ]
    assert "build_llama_cpp.sh" in results[0].skipped
    assert "--vllm" in results[1].skipped
    assert "GPU" in results[2].skipped
    for result in results:
        assert f"skipped: {result.skipped}" in table(results, [1, 8])


def test_llama_cpps_figures_are_read_from_its_own_benchmark(tmp_path: Path) -> None:
    rows = [
        {"pp": 40, "tg": 16, "pl": 1, "t": 0.5, "speed_pp": 900.0, "speed_tg": 50.5},
        {"pp": 40, "tg": 16, "pl": 8, "t": 1.0, "speed_pp": 950.0, "speed_tg": 300.0},
    ]
    text = "import json, sys\nassert '-npl' in sys.argv and '1,8' in sys.argv\n"
    text += f"print('| a | table |')\n[print(json.dumps(row)) for row in {rows}]\n"
    program(tmp_path, llama_cpp.PROGRAM, text)
    model = tmp_path / "model.gguf"
    model.touch()
    result = llama_cpp.measure(WORKLOAD, folder=tmp_path, gguf=model)
    assert result.skipped == ""
    assert result.decoding == {1: 50.5, 8: 300.0}
    assert result.whole == {1: 32.0, 8: 128.0}
    assert result.prompt_tokens_per_s == 950.0
    assert "| llama.cpp | model | 50 | 300 | 128 (8) | 950 |" in table([result], [1, 8])


def test_a_benchmark_that_fails_says_how_it_ended(tmp_path: Path) -> None:
    program(tmp_path, llama_cpp.PROGRAM, "import sys\nsys.exit('no such device')\n")
    model = tmp_path / "model.gguf"
    model.touch()
    result = llama_cpp.measure(WORKLOAD, folder=tmp_path, gguf=model)
    assert result.skipped.endswith("ended with 1: no such device")


def test_vllms_figures_are_read_from_its_own_process(tmp_path: Path) -> None:
    text = (
        "import json, sys\n"
        "if sys.argv[1] == '-c':\n    print('0.99')\nelse:\n"
        "    config = json.load(open(sys.argv[2] + '/config.json'))\n"
        "    assert config['quantization_config']['bits'] == 4\n"
        "    for threads in map(int, sys.argv[5:]):\n"
        "        print('figure:' + json.dumps({'threads': threads, 'decoding': 7.0 * threads,"
        " 'whole': 5.0 * threads, 'prompts': 100.0}))\n"
    )
    result = vllm_engine.measure(WORKLOAD, python=str(program(tmp_path, "python", text)))
    assert (result.name, result.skipped) == ("vLLM 0.99", "")
    assert result.decoding == {1: 7.0, 8: 56.0}


def test_a_result_survives_its_process() -> None:
    result = Result(name="x", weights="y", decoding={1: 2.0}, whole={1: 1.0})
    assert result_in(f"noise\n{result.line()}\n") == result
    assert result_in("noise") is None


@pytest.mark.parametrize("few_bits", [True, False])
def test_a_random_gguf_has_the_decoders_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_bits: bool
) -> None:
    small = shapes._qwen("small", "qwen3_vl", (256, 512, 2, 4, 2), 0.0, vocabulary=512)
    monkeypatch.setattr(random_gguf, "MODELS", (small,))
    shape = random_gguf.shape_of("Qwen/small")
    assert shape is small
    random_gguf.write(shape, tmp_path / "small.gguf", few_bits=few_bits)
    read = gguf.GGUFReader(tmp_path / "small.gguf")
    tensors = {tensor.name: tensor for tensor in read.tensors}
    assert len(tensors) == 3 + 2 * 11
    assert [int(size) for size in tensors["blk.1.ffn_down.weight"].shape] == [512, 256]
    assert tensors["output.weight"].tensor_type.name == ("Q6_K" if few_bits else "F16")
    numbers = gguf.quants.dequantize(
        tensors["blk.0.attn_k.weight"].data, tensors["blk.0.attn_k.weight"].tensor_type
    )
    assert numbers.shape == (256, 256)
    assert 0 < abs(numbers).mean() < 1


@pytest.mark.heavy
def test_this_engine_is_measured_with_prompts_of_the_same_length(tmp_path: Path) -> None:
    with growth.tiny_shape():
        assert growth.TINY in random_models.MODELS
        workload = Workload(
            model=growth.TINY, few_bits=False, threads=(1, 4), prompt_tokens=64, new_tokens=24
        )
        result = ours.measure(workload, tmp_path)
    assert set(result.decoding) == {1, 4}
    assert all(rate > 0 for rate in (*result.decoding.values(), *result.whole.values()))
    assert result.prompt_tokens_per_s


def test_a_peer_that_fails_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(peer: str, _: list[str]) -> Result:
        skipped = "it ended with 1: oh" if peer == "ours" else ""
        return Result(name=peer, skipped=skipped, decoding={1: 3.0})

    monkeypatch.setattr(peers, "in_a_process", measured)
    assert peers.main(["--only", "ours", "vllm", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "| ours | skipped: it ended with 1: oh |" in printed
    assert "| vllm |  | 3 |" in printed
