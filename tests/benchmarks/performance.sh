#!/usr/bin/env bash
# Every figure of docs/performance.md on a GPU, as JSON files in the folder given.
set -u
out=${1:?usage: performance.sh FOLDER}
bench="python3 -m bot bench --random-weights --json"
seven="--model llava-hf/llava-1.5-7b-hf" thirteen="--model llava-hf/llava-1.5-13b-hf"
run() { # name, arguments
    local name=$1
    shift
    timeout 200 $bench "$@" >"$out/$name.json" 2>"$out/$name.log" || tail -3 "$out/$name.log"
}
run 7b-bf16 $seven --plot "$out/7b-bf16.png" --threads 1 2 4 8 16 32 64 ${WITHOUT_STATIC:-}
run 7b-nf4-memory $seven --quantize nf4 --without-generate --threads 4 --cache-tokens 4000 --context-tokens 1000
run 13b-nf4-memory $thirteen --quantize nf4 --without-generate --threads 3 --cache-tokens 3000 --context-tokens 1000
run 13b-nf4 $thirteen --quantize nf4 --without-static
run 7b-nf4 $seven --quantize nf4 --without-static --plot "$out/7b-nf4.png" --threads 1 2 4 8 16 32 64
run 7b-bf16-one-picture $seven --without-generate --same-picture --threads 1 32
run 7b-nf4-one-picture $seven --quantize nf4 --without-generate --same-picture --threads 32
run 7b-int8 $seven --quantize int8 --without-generate
