"""Tests as expressions: what the program is asked for, and what is then held against it.

`assert f(3) == [1, 2]` asks the program for `f(3)` alone. What is expected stays here, so a
program can neither read it nor decide what equals it.
"""

from __future__ import annotations

import ast
import builtins
import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutelage.sandbox.kept import Kept, bound, named, stored

GIVEN = "_given"  # a value of the program's, in what is left of a test
SCOPED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr)
CHAINED = (ast.Attribute, ast.Subscript, ast.Call)


class Unclear(ValueError):
    """A test that cannot be taken apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One `assert`: the steps that hold the program's part, and what must be true of them."""

    asks: tuple[int, ...]  # numbers of steps
    holds: str  # an expression over `_given0`, `_given1`, …
    before: tuple[str, ...] = ()  # statements of the tests so far that use nothing of the program
    equals: object = None  # where it is `_given0 == LITERAL`
    literal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test's claims; it passes where all of them hold."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """The tests of one task, and the steps a program takes for them."""

    setup: tuple[str, ...]  # statements, run before anything is judged
    within: tuple[str, ...]  # those of them that are run after the program, beside it
    steps: tuple[tuple[str, str], ...]
    tests: tuple[Test, ...]


def defined(source: str) -> frozenset[str]:
    """The functions, classes and values a program defines; none where it cannot be read."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()  # a model may nest as deep as it likes
    imports = (ast.Import, ast.ImportFrom)
    return frozenset(name for one in body if not isinstance(one, imports) for name in bound([one]))


def leaned_on(source: str) -> frozenset[str]:
    """The names a program uses and does not make; none where it cannot be read."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(named(tree)) - frozenset(stored(tree))


def read_tests(
    tests: Sequence[str],
    setup: str = "",
    asked: frozenset[str] = frozenset(),
    leaned: frozenset[str] = frozenset(),
) -> Tests:
    """Takes tests apart; `asked` are names that are the program's even where Python has them.

    A name is the program's unless it is Python's own, a module of the standard library, or
    made by the setup without the program. What the setup makes for judging stays where answers
    are judged, unless the program is asked with it or `leaned` names it.

    Raises: Unclear naming the first test that is no assertion about the program.
    """
    statements = _parsed(setup, "the setup").body
    parsed = [(text, _parsed(text, f"`{text[:60]}`").body) for text in tests]
    apart, needed = _Apart(), set(leaned)
    for _ in range(2):  # what the program needs is known once all is read
        own = frozenset(vars(builtins)) | sys.stdlib_module_names
        kept = Kept(own=own - asked, theirs=asked, needed=needed)
        kept.begin(statements)
        apart.own = kept.own
        steps, found = _taken(parsed, apart, kept)
        kept.close()
        needed = kept.needed
    judging = [text for test in found for claim in test.claims for text in _judged(claim)]
    within = kept.within(statements, [_parsed(text, text) for text in judging])
    return Tests(
        setup=tuple(map(ast.unparse, statements)),
        within=tuple(map(ast.unparse, within)),
        steps=tuple(steps),
        tests=tuple(found),
    )


def _judged(claim: Claim) -> tuple[str, ...]:
    return (*claim.before, claim.holds)


def _taken(
    parsed: Sequence[tuple[str, Sequence[ast.stmt]]], apart: _Apart, kept: Kept
) -> tuple[list[tuple[str, str]], list[Test]]:
    steps: list[tuple[str, str]] = []
    found = []
    for text, statements in parsed:
        claims = []
        for statement in statements:
            if isinstance(statement, ast.Assert):
                kept.asserted(statement.test, apart.given)
                apart.own = kept.own
                claims.append(_claim(statement.test, apart, steps, kept.statements))
                continue
            if not kept.keeps(statement) or kept.sends(statement):
                steps.append(("exec", ast.unparse(statement)))
            apart.own = kept.own
        if not any(claim.asks for claim in claims):
            raise Unclear(f"`{text[:60]}` asserts nothing of the program")
        found.append(Test(claims=tuple(claims)))
    return steps, found


def _claim(
    test: ast.expr, apart: _Apart, steps: list[tuple[str, str]], before: Sequence[str]
) -> Claim:
    begin = len(steps)
    left = apart.of(copy.deepcopy(test), steps)
    asks = tuple(range(begin, len(steps)))
    claim = Claim(asks=asks, holds=ast.unparse(left), before=tuple(before))
    match left:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[wanted]) if (
            name == f"{GIVEN}0"
        ):
            try:
                return replace(claim, equals=ast.literal_eval(wanted), literal=True)
            except (ValueError, TypeError):
                return claim
    return claim


class _Apart(ast.NodeTransformer):
    """Puts a given value in the place of every part that is the program's."""

    def __init__(self) -> None:
        self.own: frozenset[str] = frozenset()
        self._steps: list[tuple[str, str]] = []
        self._begin = 0

    def of(self, test: ast.expr, steps: list[tuple[str, str]]) -> ast.expr:
        """What is left of a test, its questions to the program added to `steps`."""
        self._steps, self._begin = steps, len(steps)
        left = self.visit(test)
        assert isinstance(left, ast.expr)
        return left

    def given(self, test: ast.expr) -> frozenset[str]:
        """The names within the parts of a test that are the program's to work out."""
        steps: list[tuple[str, str]] = []
        self.of(copy.deepcopy(test), steps)
        asked = (node for _, text in steps for node in ast.walk(ast.parse(text)))
        return frozenset(node.id for node in asked if isinstance(node, ast.Name))

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or a given value for it."""
        if not isinstance(node, ast.expr) or not self._asks(node):
            return self.generic_visit(node)
        if isinstance(node, ast.GeneratorExp):  # has no value; a list of the same has
            node = ast.ListComp(elt=node.elt, generators=node.generators)
        self._steps.append(("eval", ast.unparse(node)))
        return ast.Name(id=f"{GIVEN}{len(self._steps) - 1 - self._begin}", ctx=ast.Load())

    def _asks(self, node: ast.expr) -> bool:
        root: ast.AST = node
        while isinstance(root, CHAINED):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, SCOPED) and self._within(root):
            self._mind(root)
            return True
        return self._foreign(root)

    def _within(self, node: ast.AST) -> bool:
        return any(self._foreign(inner) for inner in ast.walk(node))

    def _mind(self, scoped: ast.AST) -> None:
        """Refuses to let a program work out, in a loop, what is to be held against it."""
        for inner in ast.walk(scoped):
            judges = isinstance(inner, ast.Compare | ast.BoolOp | ast.IfExp)
            if isinstance(inner, ast.Call) and not self._asks(inner):
                judges = True
            if judges and self._within(inner):
                raise Unclear(
                    f"`{ast.unparse(scoped)[:60]}` judges the program's values within a loop; "
                    "write an assertion for each"
                )

    def _foreign(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id not in self.own
        )


def _parsed(text: str, what: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unclear(f"{what} is no Python: {error}") from error
