#!/usr/bin/env bash
# llama.cpp's server in an environment of its own: tests/llama_cpp/install.sh [python] [folder]
#
# The package xllamacpp brings it built, for processors without AVX-512, too.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
folder=${2:-.cache/llama_cpp}
if [ -e "$folder/.installed" ] && [ "$folder/.installed" -nt tests/llama_cpp/requirements.txt ]; then
    exit 0
fi
echo "Installing llama.cpp into $folder …"
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement tests/llama_cpp/requirements.txt
touch "$folder/.installed"
