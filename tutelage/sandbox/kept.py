"""Statements of tests that use nothing of the program: they stay where answers are judged."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field

ASSIGNED = (ast.Assign, ast.AnnAssign, ast.AugAssign)
IMPORTS = (ast.Import, ast.ImportFrom)
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Given = Callable[[ast.expr], Set[str]]  # names in the parts of an assertion a program works out


@dataclass(slots=True, kw_only=True)
class Kept:
    """The names tests make for themselves, and which of them the program is given.

    A name the program was given, or one that may hold the same thing, is the program's from
    there on: it may have changed it. `needed` are the names that must be made within the
    program, too; they are known once all tests have been read.
    """

    own: frozenset[str]  # what is worked out where answers are judged
    theirs: frozenset[str]
    needed: set[str] = field(default_factory=set)
    statements: list[str] = field(default_factory=list)  # kept so far
    _made: set[str] = field(default_factory=set)
    _defined: set[str] = field(default_factory=set)
    _alike: dict[str, set[str]] = field(default_factory=dict)  # names that may hold one thing
    _sources: list[tuple[frozenset[str], frozenset[str]]] = field(default_factory=list)
    _called: list[frozenset[str]] = field(default_factory=list)  # names run for their effect

    def begin(self, setup: Sequence[ast.stmt]) -> None:
        """Takes in the setup, which is worked out before the statements of tests."""
        for statement in setup:
            if not self.keeps(statement):
                self.theirs |= frozenset(bound([statement]))
        self.statements.clear()

    def within(self, setup: Sequence[ast.stmt], judging: Sequence[ast.AST]) -> list[ast.stmt]:
        """The setup's statements that run beside the program.

        Those that only judge do not, nor do those that use what these make. A statement that
        changes what is needed stays, and then so does all it uses.
        """
        judged = {name for one in judging for name in named(one)}
        self._close_over(judged)
        judged &= (self._made | self._defined) - self.theirs
        needed = set(self.needed)
        while True:
            stays, gone = self._beside(setup, judged - needed, needed)
            missing = {name for one in stays for name in _used(one)} & gone
            missing |= self._reached([one for one in setup if one not in stays], needed) & gone
            if not missing:
                return stays
            needed |= missing
            self._close_over(needed)

    def _beside(
        self, setup: Sequence[ast.stmt], gone: Set[str], needed: Set[str]
    ) -> tuple[list[ast.stmt], Set[str]]:
        """What is left of a setup without these names, and all names that are gone with them."""
        stays, before = list(setup), -1
        while before != len(stays):
            before = len(stays)
            out = [
                one
                for one in stays
                if not self._changed(one) & needed and (_used(one) | self._changed(one)) & gone
            ]
            gone = gone | (frozenset(bound(out)) - frozenset(_passing(out)))
            stays = [one for one in stays if one not in out]
        return stays, gone

    def _reached(self, out: Sequence[ast.stmt], needed: Set[str]) -> Set[str]:
        """Names used by functions that are called for an effect, where one of them is needed."""
        found = set[str]()
        for one in out:
            if isinstance(one, (*ASSIGNED, *DEFINED)):
                continue
            found |= self._effect(_used(one), needed)
        return found

    def _effect(self, used: Set[str], needed: Set[str]) -> Set[str]:
        """The names that functions run for their effect lead to, where one of them is needed."""
        reached = set(used)
        self._close_over(reached, by=self._defined)
        return reached if reached & needed & self._made else frozenset()

    def asserted(self, test: ast.expr, given: Given) -> None:
        """Takes in what an assertion gives the program."""
        self._give(given(test))

    def keeps(self, statement: ast.stmt) -> bool:
        """Takes in a statement; whether it is worked out where answers are judged."""
        names, made = frozenset(named(statement)), frozenset(bound([statement]))
        if not self._alone(statement):
            self._give(names)
            self.own -= made
            return False
        self.statements.append(ast.unparse(statement))
        self.own |= made - self.theirs
        if isinstance(statement, DEFINED):
            self._defined |= made
        elif not isinstance(statement, IMPORTS):
            self._made |= made
            if not _fresh(statement):
                for name in made:
                    self._alike[name] = self._alike.get(name, set()) | names
        self._sources.append((self._changed(statement), _used(statement)))
        if not isinstance(statement, (*ASSIGNED, *DEFINED, *IMPORTS)):
            self._called.append(_used(statement))
        return True

    def _changed(self, statement: ast.stmt) -> frozenset[str]:
        """The names a statement makes, or may change the things of; to call is no change."""
        if isinstance(statement, (*ASSIGNED, *DEFINED, *IMPORTS)):
            changed = _touched(statement)
        else:
            changed = frozenset(bound([statement])) | _touched(statement) & self._made
        return changed - frozenset(_passing([statement]))

    def sends(self, statement: ast.stmt) -> bool:
        """Whether a statement that is kept runs within the program as well."""
        if isinstance(statement, IMPORTS):
            return True
        touched = _touched(statement)
        return bool(touched & self.needed) or not touched & (self._made | self._defined)

    def close(self) -> None:
        """Adds the names that those needed are made of, or changed by."""
        before = -1
        while before != len(self.needed):
            before = len(self.needed)
            self._close_over(self.needed)
            for used in self._called:
                self.needed |= self._effect(used, self.needed)

    def _close_over(self, some: set[str], by: Set[str] | None = None) -> None:
        """Adds what some names are made of, and so on; `by` are the names gone by, else all."""
        before = -1
        while before != len(some):
            before = len(some)
            for made, names in self._sources:
                if made & (some if by is None else some & by):
                    some |= names

    def _give(self, names: Set[str]) -> None:
        self.needed |= names
        given, left = set[str](), set(names) & self._made
        while left:
            name = left.pop()
            given.add(name)
            near = self._alike.get(name, set()) | {
                other for other, held in self._alike.items() if name in held
            }
            left |= (near & self._made) - given
        self.needed |= given
        self.own -= given

    def _alone(self, statement: ast.stmt) -> bool:
        inner = statement
        if isinstance(statement, ASSIGNED):
            if statement.value is None:
                return False
            inner = ast.Expr(statement.value)
        within = frozenset(stored(inner))
        if not isinstance(statement, ASSIGNED):
            within -= self.theirs
        return frozenset(named(statement)) <= self.own | within


def bound(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that statements bind where they stand."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.alias):
                yield (node.asname or node.name).partition(".")[0]


def named(statement: ast.AST) -> Iterator[str]:
    """The names a statement reads or changes."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def stored(statement: ast.AST) -> Iterator[str]:
    """The names bound anywhere within, arguments among them."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _touched(statement: ast.stmt) -> frozenset[str]:
    """The names a statement makes, or may change the things of."""
    made = frozenset(bound([statement]))
    if isinstance(statement, (*DEFINED, *IMPORTS)):
        return made
    if isinstance(statement, ASSIGNED):  # `wanted[2] = 3` changes `wanted`
        places = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return made | {name for place in places for name in named(place)}
    return made | frozenset(named(statement))


def _used(statement: ast.stmt) -> frozenset[str]:
    """The names a statement reads or changes that were made before it."""
    return frozenset(named(statement)) - frozenset(_passing([statement]))


def _passing(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """The names statements bind for themselves: those of loops, and what functions hold."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                yield from stored(node.target)
            elif isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _held(node)


def _held(function: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    wide = {
        name
        for node in ast.walk(function)
        if isinstance(node, ast.Global | ast.Nonlocal)
        for name in node.names
    }
    for part in (function.args, *body):
        yield from (name for name in stored(part) if name not in wide)


def _fresh(statement: ast.stmt) -> bool:
    """Whether what a statement assigns is a new thing: a constant, or what a call gives."""
    if not isinstance(statement, ast.Assign):
        return False
    return isinstance(statement.value, ast.Call | ast.Constant | ast.BinOp | ast.Compare)
