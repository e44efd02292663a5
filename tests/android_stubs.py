"""Android's API as its stubs say it is: classes by name, and objects that know their members and nothing else.

A fake `jnius` made of them runs the code that is for a phone: a class, method or constant that Android does not have,
a wrong number of arguments or one of another type is an AssertionError that names it.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLAIN = {"str": "text", "int": 1, "bool": True, "float": 1.0, "bytes": b"", "None": None}
BOXES = {"java.jint": "int", "java.jlong": "int", "java.jboolean": "bool", "java.jfloat": "float"}


def stub_folder() -> Path | None:
    """Where chaquopy-stubs-android is installed, or None."""
    spec = importlib.util.find_spec("android-stubs")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]).parent if places else None


@dataclass(frozen=True)
class Overload:
    """One way to call a method."""

    takes: tuple[ast.expr | None, ...]  # their annotations
    is_open: bool  # takes more of the last
    gives: ast.expr | None


@dataclass
class JavaClass:
    """A class of the stubs."""

    name: str  # android.provider.MediaStore.Images.Media
    module: str  # android.provider
    bases: list[ast.expr]
    fields: dict[str, ast.expr] = field(default_factory=dict)
    methods: dict[str, list[Overload]] = field(default_factory=dict)


class Stubs:
    """Every class, read where it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules: dict[str, dict[str, JavaClass]] = {}

    def find(self, java_name: str) -> JavaClass:
        """The class of a name as autoclass takes it, a dollar before inner ones. Raises: AssertionError if none."""
        module, _, rest = java_name.rpartition(".")
        found = self._module(module).get(rest.replace("$", "."))
        assert found is not None, f"{java_name}: Android has no such class"
        return found

    def resolve(self, dotted: str, where: JavaClass) -> JavaClass | None:
        """The class that an annotation names, which stands in `where`."""
        if dotted in (local := self._module(where.module)):
            return local[dotted]
        scope = where.name.removeprefix(f"{where.module}.")
        while scope:
            if f"{scope}.{dotted}" in local:
                return local[f"{scope}.{dotted}"]
            scope = scope.rpartition(".")[0]
        parts = dotted.split(".")
        for end in range(len(parts) - 1, 0, -1):
            found = self._module(".".join(parts[:end])).get(".".join(parts[end:]))
            if found is not None:
                return found
        return None

    def lineage(self, found: JavaClass) -> Iterator[JavaClass]:
        """A class and all that it inherits from."""
        yield found
        for base in found.bases:
            above = self.resolve(_dotted(base), found)
            if above is not None:
                yield from self.lineage(above)

    def _module(self, name: str) -> dict[str, JavaClass]:
        if name not in self._modules:
            top, *inner = name.split(".")
            path = self._folder.joinpath(f"{top}-stubs", *inner)
            files = [path / "__init__.pyi", path.with_suffix(".pyi")]
            text = next((file.read_text(encoding="utf-8") for file in files if file.is_file()), "")
            self._modules[name] = {
                found.name.removeprefix(f"{name}."): found for found in _classes(ast.parse(text), name, name)
            }
        return self._modules[name]


def _classes(tree: ast.AST, module: str, prefix: str) -> Iterator[JavaClass]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found = JavaClass(f"{prefix}.{node.name}", module, node.bases)
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    found.fields[item.target.id] = item.annotation
                elif isinstance(item, ast.FunctionDef):
                    found.methods.setdefault(item.name, []).append(_overload(item))
            yield found
            yield from _classes(node, module, found.name)


def _overload(node: ast.FunctionDef) -> Overload:
    is_static = any(getattr(item, "id", "") == "staticmethod" for item in node.decorator_list)
    arguments = [*node.args.posonlyargs, *node.args.args][0 if is_static else 1 :]
    more = [node.args.vararg] if node.args.vararg else []
    return Overload(tuple(item.annotation for item in (*arguments, *more)), bool(more), node.returns)


class FakeAndroid:
    """What `autoclass` and `cast` of pyjnius give, made of the stubs.

    Args: answers: by (class, member) what a field is, or a function that a method calls.
    """

    def __init__(self, stubs: Stubs, answers: dict[tuple[str, str], Any]) -> None:
        self.stubs, self.answers = stubs, answers
        self.calls: list[tuple[str, str, tuple[Any, ...]]] = []

    def autoclass(self, name: str) -> JavaThing:
        return JavaThing(self, self.stubs.find(name), is_class=True)

    def cast(self, name: str, thing: JavaThing) -> JavaThing:
        wanted = self.stubs.find(name)
        is_one = wanted in self.stubs.lineage(thing.java) or thing.java.name == "java.lang.Object"
        goes_down = thing.java in self.stubs.lineage(wanted)
        assert is_one or goes_down, f"{thing.java.name} is no {name}"
        return JavaThing(self, wanted)

    def object(self, name: str) -> JavaThing:
        return JavaThing(self, self.stubs.find(name))

    def called(self, member: str) -> list[tuple[Any, ...]]:
        return [arguments for _, name, arguments in self.calls if name == member]

    def value(self, annotation: ast.expr | None, where: JavaClass) -> Any:
        """Something of the type that an annotation names: the first of several that is not None."""
        for name in _names(annotation):
            name = BOXES.get(name, name)
            if name in PLAIN:
                if name == "None" and len(_names(annotation)) > 1:
                    continue
                return PLAIN[name]
            found = self.stubs.resolve(name, where)
            if found is not None:
                return JavaThing(self, found)
        return JavaThing(self, self.stubs.find("java.lang.Object"))


class JavaThing:
    """A class or an object of Android's."""

    def __init__(self, fake: FakeAndroid, java: JavaClass, *, is_class: bool = False) -> None:
        self.fake, self.java, self.is_class = fake, java, is_class

    def __call__(self, *arguments: Any) -> JavaThing:
        assert self.is_class, f"{self.java.name}: an object is called"
        self._check("__init__", self.java.methods.get("__init__", []), self.java, arguments)
        return JavaThing(self.fake, self.java)

    def __getattr__(self, name: str) -> Any:
        for java in self.fake.stubs.lineage(self.java):
            if name in java.methods:
                return lambda *arguments: self._call(name, java, arguments)
            if name in java.fields:
                known = self.fake.answers.get((self.java.name, name))
                return self.fake.value(java.fields[name], java) if known is None else known
        raise AssertionError(f"{self.java.name} has no {name}")

    def _call(self, name: str, java: JavaClass, arguments: tuple[Any, ...]) -> Any:
        fits = self._check(name, java.methods[name], java, arguments)
        self.fake.calls.append((java.name, name, arguments))
        answer = self.fake.answers.get((java.name, name))
        return self.fake.value(fits.gives, java) if answer is None else answer(*arguments)

    def _check(self, name: str, overloads: list[Overload], java: JavaClass, arguments: tuple[Any, ...]) -> Overload:
        fits = [overload for overload in overloads if self._fits(overload, java, arguments)]
        assert fits or (name == "__init__" and not overloads), f"{java.name}.{name} does not take {arguments}"
        return fits[0] if fits else Overload((), False, None)

    def _fits(self, overload: Overload, java: JavaClass, arguments: tuple[Any, ...]) -> bool:
        if len(arguments) < len(overload.takes) - overload.is_open:
            return False
        if len(arguments) > len(overload.takes) and not overload.is_open:
            return False
        takes = [overload.takes[min(place, len(overload.takes) - 1)] for place in range(len(arguments))]
        return all(self._is_a(value, take, java) for value, take in zip(arguments, takes, strict=True))

    def _is_a(self, value: Any, annotation: ast.expr | None, java: JavaClass) -> bool:
        if value is None:
            return True
        names = [BOXES.get(name, name) for name in _names(annotation)]
        if isinstance(value, list):
            return any("JavaArray" in name for name in names)
        if not isinstance(value, JavaThing):
            return type(value).__name__ in names or "java.lang.Object" in names
        line = [found.name for found in self.fake.stubs.lineage(value.java)]
        wanted = [self.fake.stubs.resolve(name, java) for name in names]
        is_generic = all(found is None for found in wanted) and not set(names) & set(PLAIN)
        return is_generic or any(found is not None and found.name in (*line, "java.lang.Object") for found in wanted)


def _names(annotation: ast.expr | None) -> list[str]:
    """The names in `A | B[C] | None`, the outer ones alone."""
    if annotation is None:
        return ["None"]
    if isinstance(annotation, ast.BinOp):
        return _names(annotation.left) + _names(annotation.right)
    if isinstance(annotation, ast.Constant):
        return [str(annotation.value)]
    if isinstance(annotation, ast.Subscript):
        outer = _dotted(annotation.value)
        return _names(annotation.slice) if outer == "typing.ClassVar" else [outer]
    return [_dotted(annotation)]


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
