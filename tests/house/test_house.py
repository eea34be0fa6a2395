"""The rules of the house: gravity, sizes, lightness, and nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.reference import DOCS, pages

ROOT = Path(__file__).parents[2]
FLOORS = ["core", "sandbox", "store", "render", "screen", "engine", "score"]
STAGES = ["curate", "train", "evaluate", "gate", "release", "serve", "monitor", "improve"]
ABOVE = ["pipeline", "web", "cli", "__main__"]
SHIPPED = ["recipes", "suites"]  # data with the little code that finds it
LIMIT = {"lines of a file": 300, "lines": 60, "arguments": 6, "nesting": 3}
BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith)
IMPOSED = {"packed_attention"}  # transformers calls it with its own seven arguments
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    return sorted((ROOT / "tutelage").rglob("*.py"))


def room(path: Path) -> str:
    """The room a file of the package stands in."""
    parts = path.relative_to(ROOT / "tutelage").with_suffix("").parts
    return parts[0]


def floor(name: str) -> int:
    if name in FLOORS:
        return FLOORS.index(name)
    if name in STAGES or name == "bases":
        return len(FLOORS)
    if name in SHIPPED:
        return 0
    return len(FLOORS) + 1 + ABOVE.index(name)


def own_imports(path: Path) -> Iterator[str]:
    """The rooms a file imports from, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
        for name in names:
            parts = name.split(".")
            if parts[0] == "tutelage" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


def test_imports_point_down() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}: move what they share down"
        for path in sources()
        if room(path) != "__init__"
        for imported in own_imports(path)
        if imported != room(path) and floor(imported) >= floor(room(path))
    ]
    assert wrong == []


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def arguments(function: Function) -> int:
    given = function.args
    named = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def depth(node: ast.AST, chained: bool = False) -> int:
    """Levels of blocks within blocks; an `elif` is on the level of its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda | ast.ClassDef):
            continue
        otherwise = isinstance(node, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child, chained=otherwise and isinstance(child, ast.If)))
    return deepest + (isinstance(node, BLOCKS) and not chained)


def test_files_fit_on_a_page() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    limit = LIMIT["lines of a file"]
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > limit} == {}


@pytest.mark.parametrize("size", ["lines", "arguments", "nesting"])
def test_functions_are_small(size: str) -> None:
    def measure(function: Function) -> int:
        if size == "lines":
            return (function.end_lineno or function.lineno) - function.lineno + 1
        return arguments(function) if size == "arguments" else depth(function)

    found = {name: measure(node) for path in sources() for name, node in functions(path)}
    large = {name: n for name, n in found.items() if n > LIMIT[size]}
    assert {name: n for name, n in large.items() if name.split()[-1] not in IMPOSED} == {}


def test_the_measures_measure() -> None:
    text = """
def f(self, a, *, b):
    for x in a:
        if x:
            pass
        elif b:
            with x:
                pass
"""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    assert (arguments(function), depth(function)) == (2, 3)


def loaded_by(statement: str) -> set[str]:
    """The top-level modules a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"torch", "daft", "transformers", "numpy", "pyarrow", "pydantic", "rich"}
    assert loaded_by("import tutelage") & heavy == set()


def test_the_ground_floors_load_no_torch() -> None:
    rooms = "import tutelage.core.recipe, tutelage.store.run, tutelage.store.lineage"
    assert loaded_by(rooms) & {"torch", "daft", "transformers"} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_door_loads_torch_only_when_it_is_used(stage: str) -> None:
    if (ROOT / "tutelage" / stage / "run.py").exists():
        assert "torch" not in loaded_by(f"import tutelage.{stage}.run")
    else:
        assert not (ROOT / "tutelage" / stage).exists(), f"{stage} has no door"


def test_the_code_has_no_module_state_and_prints_nothing_outside_the_command_line() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Global)
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
            and room(path) != "cli"
        )
    ]
    assert wrong == []


WRITTEN = {".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".txt", ".cfg", ".ini", ""}
LEFT_OUT = {".git", ".venv", ".tutelage", ".hypothesis", "build", "dist"}
MACHINE = re.compile(r"(?<![\w.<~-])/(?:work|root|home|Users|opt|mnt)/[\w.-]+")
REGISTRY = re.compile("|".join((r"pypi\." + "org", "python" + "hosted", r"download\.py" + "torch")))


def written() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        hidden = any(part in LEFT_OUT or part.endswith(("_cache", "info")) for part in inside)
        if path.is_file() and path.suffix in WRITTEN and not hidden and "__pycache__" not in inside:
            yield path


def test_nothing_written_names_one_machine_or_a_registry() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number} {found[0]}"
        for path in written()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := MACHINE.search(line) or REGISTRY.search(line))
    ]
    assert wrong == []


def test_constraints_pin_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_generated_pages_are_as_the_code_says() -> None:
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run `make docs`"
