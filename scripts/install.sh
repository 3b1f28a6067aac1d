#!/bin/sh
# Installs AdaSTaR into .venv: `sh scripts/install.sh .` what a run needs, `sh scripts/install.sh '.[dev]'` what the tests
# need too. uv installs where it is on the path, pip elsewhere. TORCH=cpu takes torch's build without CUDA.
# docs/installing.md has the sizes and times.
set -eu
wanted=$1
venv=.venv
python=${PYTHON:-python3}
torch=${TORCH:-}
cpu_index=https://download.pytorch.org/whl/cpu

fail() { echo "$1" >&2; exit 2; }

gpu() { [ -e /proc/driver/nvidia ] || command -v nvidia-smi > /dev/null; }

usable() { $venv/bin/python -m pip --version > /dev/null 2>&1; }

announce() {
    size="about 3.0 GB (8 minutes at 50 Mbit/s), most of it CUDA"
    [ "$torch" != cpu ] || size="about 0.45 GB (1.2 minutes at 50 Mbit/s)"
    echo "Installing into $venv with $1, which downloads $size unless cached: docs/installing.md."
    if [ "$torch" != cpu ] && [ "$(uname -sm)" = "Linux x86_64" ] && ! gpu; then
        echo "This machine shows no NVIDIA driver: with TORCH=cpu (make run TORCH=cpu) it downloads 2.5 GB less."
    fi
}

with_uv() {
    usable || uv venv --quiet --seed --allow-existing --python "$python" $venv
    VIRTUAL_ENV=$venv uv pip install ${quiet:+--quiet} ${torch:+--torch-backend "$torch"} --constraint constraints.txt --editable "$wanted"
}

with_pip() {
    usable || "$python" -m venv $venv
    set -- $venv/bin/python -m pip install ${quiet:+--quiet} --disable-pip-version-check --constraint constraints.txt
    # That index lacks most pinned versions, so what torch needs comes with the rest.
    [ "$torch" != cpu ] || "$@" --no-deps --index-url $cpu_index torch
    "$@" --editable "$wanted"
}

[ "$torch" = "" ] || [ "$torch" = cpu ] || fail "TORCH=$torch is unknown. Use TORCH=cpu, or leave it out for PyPI's build."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "AdaSTaR needs Python 3.11 or newer: make PYTHON=python3.11 ..."
quiet=; [ -t 1 ] || quiet=yes
installer=pip; ! command -v uv > /dev/null || installer=uv
case $wanted in
    .) announce $installer ;;
    *) echo "Installing what the tests need as well: 0.19 GB more." ;;
esac
with_$installer
