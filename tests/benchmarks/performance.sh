#!/usr/bin/env bash
# Measure every figure of docs/performance.md on a GPU, into JSON files in the given folder. With two
# GPUs, measure two things at a time, one per card.
set -u
out=${1:?usage: performance.sh FOLDER}
bench="python3 -m bot bench --random-weights --json"
seven="--model llava-hf/llava-1.5-7b-hf" thirteen="--model llava-hf/llava-1.5-13b-hf"
run() { # name, arguments
    local name=$1
    shift
    timeout 240 $bench "$@" >"$out/$name.json" 2>"$out/$name.log" || tail -c 300 "$out/$name.log"
}
memory() { # name, arguments; also samples nvidia-smi meanwhile
    nvidia-smi --id="${CUDA_VISIBLE_DEVICES:-0}" --query-gpu=memory.used --format=csv,noheader \
        --loop-ms=250 >"$out/$1.smi" &
    local watch=$!
    run "$@"
    kill $watch
}
first() {
    run 7b-bf16 $seven --without-static --plot "$out/7b-bf16.png" --threads 1 2 4 8 16 32 64
    run 7b-bf16-one-picture $seven --without-generate --same-picture --threads 1 32
    memory 13b-nf4-memory $thirteen --quantize nf4 --without-generate --threads 3 \
        --cache-tokens 3000 --context-tokens 1000
    run 7b-bf16-static $seven --threads 1
}
second() {
    run 7b-nf4 $seven --quantize nf4 --without-static --plot "$out/7b-nf4.png" \
        --threads 1 2 4 8 16 32 64
    run 7b-nf4-one-picture $seven --quantize nf4 --without-generate --same-picture --threads 32
    memory 7b-nf4-memory $seven --quantize nf4 --without-generate --threads 4 \
        --cache-tokens 4000 --context-tokens 1000
    run 13b-nf4 $thirteen --quantize nf4 --without-static --threads 1 8 16 32
    run 7b-int8 $seven --quantize int8 --without-generate
}
if [ "$(nvidia-smi --list-gpus | wc -l)" -gt 1 ]; then
    CUDA_VISIBLE_DEVICES=0 first &
    CUDA_VISIBLE_DEVICES=1 second &
    wait
else
    first
    second
fi
