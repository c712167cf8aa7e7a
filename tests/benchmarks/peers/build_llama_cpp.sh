#!/usr/bin/env bash
# Build llama.cpp's benchmarks from the source package of llama-cpp-python: build_llama_cpp.sh FOLDER
# SDIST names a package that was downloaded before; JOBS is how many compilers run at once. With CUDA
# if there is nvcc.
set -euo pipefail
folder=${1:?usage: build_llama_cpp.sh FOLDER}
python=${PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
source=$folder/source
if [ ! -d "$source" ]; then
    if [ -z "${SDIST:-}" ]; then
        "$python" -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
            --dest "$folder" llama-cpp-python || true # pip wants to build it, too, to read its name
        SDIST=$(ls "$folder"/llama_cpp_python-*.tar.gz)
    fi
    mkdir "$source"
    tar --extract --gzip --file "$SDIST" --directory "$source" --strip-components 1
fi
cuda=OFF
if command -v nvcc >/dev/null; then cuda=ON; fi
cmake -S "$source/vendor/llama.cpp" -B "$folder" -DCMAKE_BUILD_TYPE=Release -DGGML_CUDA=$cuda \
    -DCMAKE_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-native}" -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_SERVER=OFF >"$folder/cmake.log"
cmake --build "$folder" --parallel "${JOBS:-$(nproc)}" --target llama-bench llama-batched-bench
