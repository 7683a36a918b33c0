"""The execution cache: outputs are reused as long as nothing that made them has changed.

The cache of myst-nb looks at the code cells of a page alone. Here each page has a key beside them:
a hash of what its cells import from the helper package, with all that this uses in turn, of the
measurements that they load, and of the versions of what executes them. Docstrings, comments and
layout do not count, nor does what the page does not reach: another page's layer or drawing.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

PACKAGE = "d2lhelpers"
MEASUREMENTS, LOADER = "measurements", "load_measurement"
VERSIONS = ("torch", "numpy", "matplotlib", "ipykernel", "nbclient", "myst-nb")
EVERYTHING = "*"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Module:
    """A module of the package, taken apart: who defines a name, what is imported, what is left."""

    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)  # as module and name
    always: list[ast.stmt] = field(default_factory=list)  # runs whoever imports the module


def bare(tree: ast.Module) -> ast.Module:
    """Drop the docstrings of a tree, those of values too, and return it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *DEFINITIONS)):
            node.body = [statement for statement in node.body if not is_constant(statement)]
    return tree


def is_constant(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text, or another constant that does nothing."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def imports(
    tree: ast.AST, package: str, folder: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Yield what a tree imports from the package: the name it has there, its module, its name.

    A module as a whole has the name "*"; the package itself is the module "__init__". The tree is
    that of a file in this folder of the package, if it is part of it.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                if top == package:  # `import package.module` gives the name `package`
                    yield alias.asname or top, rest or "__init__", EVERYTHING
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module):
            path = (node.module or "").split(".")
            if node.level == 0 and path[0] != package:
                continue
            above = folder[: len(folder) - node.level + 1]  # one dot is the folder itself
            whole = [*above, *filter(None, path)] if node.level else path[1:]
            module = ".".join(whole) or "__init__"
            for alias in node.names:
                yield alias.asname or alias.name, module, alias.name


def module_name(path: Path) -> str:
    """Return the name of a module in its package; a folder has that of its `__init__.py`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


class Package:
    """The sources of a package, and what is reached in them from a program that imports it."""

    def __init__(self, root: Path):
        self.root = root
        self.modules = {
            module_name(path.relative_to(root)): self.take_apart(path)
            for path in sorted(root.rglob("*.py"))
        }
        self.data = {
            path.relative_to(root): path
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
        }
        self.contents: dict[Path, bytes] = {}

    def take_apart(self, path: Path) -> Module:
        """Return a module by its names."""
        tree, module = bare(ast.parse(path.read_bytes(), path.name)), Module()
        folder = path.relative_to(self.root).parent.parts
        for name, source, original in imports(tree, self.root.name, folder):
            module.imported[name] = source, original
        for node in tree.body:
            names = [node.name] if isinstance(node, DEFINITIONS) else []
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                parts = [part for target in targets for part in ast.walk(target)]
                names = [part.id for part in parts if isinstance(part, ast.Name)]
            for name in names:
                module.defined.setdefault(name, []).append(node)
            if not names and not isinstance(node, ast.Import | ast.ImportFrom):
                module.always.append(node)
        return module

    def reached(self, program: ast.AST) -> dict[str, list[ast.stmt]]:
        """Return the code that a program reaches, by module and name."""
        found: dict[str, list[ast.stmt]] = {}
        wanted = [(module, name) for _, module, name in imports(program, self.root.name)]
        while wanted:
            source, name = wanted.pop()
            module = self.modules.get(source)
            if module is None or f"{source}:{name}" in found:
                continue  # without the module the import fails, and the page with it
            # Whatever is used of a module, importing it runs it, and what it imports.
            wanted += [("__init__", ""), (source, ""), (source.rpartition(".")[0], "")]
            wanted += [(other, "") for other, _ in module.imported.values()]
            if name == EVERYTHING:
                wanted += [(source, each) for each in (*module.defined, *module.imported)]
                inside = (each for each in self.modules if each.startswith(f"{source}."))
                wanted += [(each, EVERYTHING) for each in inside]
            if name in module.imported:
                wanted.append(module.imported[name])
            elif source == "__init__":  # from package import module
                wanted.append((name, EVERYTHING))
            else:  # from package.folder import module, if there is one
                wanted.append((f"{source}.{name}", EVERYTHING))
            nodes = module.always if name == "" else module.defined.get(name, [])
            found[f"{source}:{name}"] = nodes
            wanted += [(source, used) for node in nodes for used in mentioned(node)]
        return found

    def program(self, cells: Iterable[str]) -> ast.Module:
        """Return cells as one program; one that Python cannot read may reach everything."""
        try:
            return ast.parse("\n".join(map(without_magics, cells)))
        except SyntaxError:
            lines = [f"import {self.root.name}.{module}" for module in self.modules]
            return ast.parse("\n".join([*lines, f"any = {LOADER}"]))

    def content(self, path: Path) -> bytes:
        """Return what a file held when it was first asked for: the pages are executed after that.

        So a file that changes while they are has a page executed again by the next build.
        """
        if path not in self.contents:
            self.contents[path] = path.read_bytes()
        return self.contents[path]

    def key(self, cells: Iterable[str]) -> str:
        """Return a hash of all that cells of Python depend on, but of the cells themselves."""
        program = self.program(cells)
        code = self.reached(program)
        digest = hashlib.sha256(platform.python_version().encode())
        for name in VERSIONS:
            digest.update(f"{name}=={importlib.metadata.version(name)}".encode())
        for place, nodes in sorted(code.items()):
            if not nodes:
                continue  # a module that is imported and of which nothing runs
            text = "\n".join(map(ast.dump, nodes))
            digest.update(f"{place}:{len(text)}:{text}".encode())
        loaded = measurements([program, *(node for nodes in code.values() for node in nodes)])
        for relative, path in self.data.items() if code else ():
            study = relative.parts[0] == MEASUREMENTS
            if not study or loaded is None or relative.stem in loaded:
                content = self.content(path)
                digest.update(f"{relative}:{len(content)}:".encode() + content)
        return digest.hexdigest()[:16]


def mentioned(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code uses, also as a text, as in `getattr` or a table."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Constant):
            yield from named(part)


def measurements(code: Iterable[ast.AST]) -> set[str] | None:
    """Return the names of the measurements that some code loads, None if nobody can tell."""
    names: set[str] = set()
    mentions = 0
    for part in (part for tree in code for part in ast.walk(tree)):
        if isinstance(part, ast.Call) and LOADER in named(part.func):
            given = [*part.args, *part.keywords]
            if len(given) == 1 and isinstance(given[0], ast.Constant):
                names.add(str(given[0].value))
                mentions -= 1  # this one is understood
        mentions += LOADER in named(part)
        if isinstance(part, ast.alias) and part.name == LOADER and part.asname:
            return None
    return names if mentions == 0 else None


def named(node: ast.AST) -> tuple[str, ...]:
    """Return the names that a node itself has, not what is in it."""
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    return tuple(str(getattr(node, field)) for field in ("id", "attr") if hasattr(node, field))


def without_magics(cell: str) -> str:
    """Return a cell without the lines that IPython reads and Python cannot."""
    return "\n".join(
        "" if line.lstrip().startswith(("%", "!")) else line for line in cell.split("\n")
    )


@lru_cache(maxsize=1)
def package(root: Path) -> Package:
    """Return a package as it is when a build first asks; a build sees one state of it."""
    return Package(root)


def page_key(env: BuildEnvironment, notebook: nbformat.NotebookNode) -> str:
    """Return the key of a page, which is given as a notebook."""
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return package(Path(env.srcdir) / PACKAGE).key(cells)


def choose_folder(app: Sphinx, config: Config) -> None:
    """Give myst-nb's cache a folder of its own."""
    package.cache_clear()
    config.nb_execution_cache_path = str(Path(app.outdir).parent / "executed")


def setup(app: Sphinx) -> None:
    """Run before myst-nb reads its settings."""
    app.connect("config-inited", choose_folder, priority=10)
