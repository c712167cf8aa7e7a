#!/bin/sh
# Install parts of the lock and then this project, editable: requirements/install.sh .venv run dev
#
# Every file is compared with its hash before anything of it runs, and nothing is resolved: what the
# lock does not name is not installed. The exception is torch where an index offers a build of its
# own (CPU, ROCm; its version says so: 2.13.0+cpu): that one has no hash here and is taken as that
# index serves it, with the packages that it needs. A torch that is installed already stays.
#
# INSTALL_PROJECT=no installs the packages alone, as a layer of an image.
set -eu
environment=$1
shift
cd "$(dirname "$0")/.."
python=$environment/bin/python

pip_install() {
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
}

checked() {
    pip_install --require-hashes --no-deps --no-build-isolation --requirement "requirements/$1.txt"
}

# A notebook's kernel asks for colours, and pip would paint its JSON, too.
unset FORCE_COLOR TTY_COMPATIBLE

# What pip would take for torch here: "2.13.0", "2.13.0+cpu", or nothing if it is installed.
torch_on_offer() {
    pip_install --dry-run --no-deps --report - "$torch" | "$python" -c '
import json, sys
report = json.loads(sys.stdin.read() or "{}")
print(*(it["metadata"]["version"] for it in report.get("install", ())))
'
}

checked build
for part; do
    checked "$part"
done
torch=$(sed -n 's/^\(torch==[^ ]*\) .*/\1/p' requirements/torch.txt)
version=$(torch_on_offer)
case $version in
    *+*)
        echo "torch $version is another index's build: it is installed without a hash."
        pip_install "torch==$version"
        ;;
    ?*) checked torch ;;
esac
[ "${INSTALL_PROJECT:-yes}" = yes ] || exit 0
# Without setuptools' lecture on editable installations.
PYTHONWARNINGS=ignore pip_install --no-deps --no-build-isolation --editable .
"$python" -m pip check >/dev/null || "$python" -m pip check >&2
