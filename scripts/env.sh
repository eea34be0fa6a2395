#!/usr/bin/env bash
# Makes the virtual environment once: pinned packages, a CPU build of torch where no GPU is.
#
#   VENV                  where it lies (default .venv)
#   PYTHON                the Python 3.11 or newer to make it with (default python3)
#   TUTELAGE_TORCH_INDEX  a further package index that holds CPU builds of torch; the
#                         install page of PyTorch names theirs
#
# A stamp of everything the environment is made from is written last, so one that was
# interrupted is made ready by the next call, and a ready one costs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${VENV:-.venv}"
python="${PYTHON:-python3}"
stamp="$(cat pyproject.toml constraints.txt scripts/env.sh | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$venv/stamp" 2>/dev/null || true)" = "$stamp" ]; then
  exit 0
fi

"$python" - <<'PY'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"error: Python {sys.version.split()[0]} is too old; expected 3.11 or newer\n\n"
             "hint: call `make PYTHON=python3.11 ...`")
PY

echo "making the environment in $venv (once; a few minutes)" >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
install() { pip install --quiet --constraint constraints.txt "$@"; }

index=()
if [ -n "${TUTELAGE_TORCH_INDEX:-}" ]; then
  index=(--extra-index-url "$TUTELAGE_TORCH_INDEX")
fi
torch="$(sed -n 's/^torch==//p' constraints.txt)"
has_torch() { "$venv/bin/python" -c "import torch, sys; sys.exit(not torch.__version__.startswith('$torch'))" 2>/dev/null; }
if ! has_torch; then
  if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
    install "torch==$torch"
  elif ! install "${index[@]}" "torch==$torch+cpu" 2>/dev/null; then
    echo "pip finds no CPU build of torch $torch, so it takes the ordinary one, with gigabytes" >&2
    echo "of GPU libraries; set TUTELAGE_TORCH_INDEX to an index of CPU builds to avoid that" >&2
    install "${index[@]}" "torch==$torch"
  fi
fi
install setuptools
install --no-build-isolation --editable ".[train,qlora,constrained,serve,track,dev]"
echo "$stamp" >"$venv/stamp"
