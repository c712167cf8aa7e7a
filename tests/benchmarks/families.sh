#!/usr/bin/env bash
# Measure the models that people run today on a GPU, one after another, in bf16 and in NF4: JSON and
# logs go into the given folder, a line for each is printed. What has its JSON there is not measured
# again, so that a second call goes on where the first one was ended.
set -u
out=${1:?usage: families.sh FOLDER [WORD OF A NAME …]}
shift
python=${PYTHON:-python3}
limit_s=${LIMIT_S:-90} # for one of them; kernels that are compiled for the first time take long
end_s=$((SECONDS + ${TOTAL_S:-570}))
models="Qwen/Qwen3-VL-4B-Instruct Qwen/Qwen2.5-VL-7B-Instruct OpenGVLab/InternVL3_5-8B-HF
mistralai/Ministral-3-8B-Instruct-2512 google/gemma-3-12b-it HuggingFaceTB/SmolVLM2-2.2B-Instruct"

wanted() { # name, words
    local name=$1
    shift
    [ $# -eq 0 ] && return 0
    for word in "$@"; do [[ $name == *"$word"* ]] && return 0; done
    return 1
}
line() { # file, seconds
    "$python" - "$1" "$2" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
rates = [
    f"{measured['threads']}: {measured['tokens_per_second']:,.0f}"
    + (f" ({measured['tokens_per_second'] / floor:.0%})" if floor else "")
    for measured, floor in zip(report["throughput"], report["floor"])
]
first = report["first_tokens"]
print(
    f"{report['model']}, {report['weights']}, {report['path']} path: tokens/s (of the floor) at "
    f"{', '.join(rates)}; first token {first['new_picture_ms']:.1f} ms (device "
    f"{first['new_picture_device_ms']:.1f}, tower {report['picture_ms'] or 0:.1f}), follow-up "
    f"{first['follow_up_ms']:.1f} ms; prompt {report['prompt_tokens']}; took {sys.argv[2]} s",
    flush=True,
)
PY
}

mkdir -p "$out"
for model in $models; do
    wanted "$model" "$@" || continue
    for quantize in none nf4; do
        name=${model##*/}-$quantize
        [ -s "$out/$name.json" ] && continue
        left_s=$((end_s - SECONDS))
        if [ "$left_s" -lt 20 ]; then
            echo "$name: no time left"
            continue
        fi
        begun=$SECONDS
        DATA_DIR=$out/data timeout "$((left_s < limit_s ? left_s : limit_s))" \
            "$python" -m bot bench --model "$model" --quantize "$quantize" --random-weights \
            --without-generate --threads 1 8 32 --json >"$out/$name.part" 2>"$out/$name.log"
        ended=$?
        if [ "$ended" -eq 0 ]; then
            mv "$out/$name.part" "$out/$name.json"
            line "$out/$name.json" "$((SECONDS - begun))"
        else
            echo "$name: ended with $ended after $((SECONDS - begun)) s: $(tail -c 400 "$out/$name.log")"
        fi
    done
done
