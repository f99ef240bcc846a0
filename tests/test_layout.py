"""The shape of the project: four packages, one import rule, nothing at import time."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {
    "ports": {"ports"},
    "domain": {"ports", "domain"},
    "adapters": {"ports", "adapters"},
    "entrypoints": {"ports", "domain", "adapters", "entrypoints"},
}


def modules(package: str) -> list[Path]:
    """Return a package's source files."""
    return sorted((ROOT / "src" / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_src_holds_the_four_packages_and_nothing_else() -> None:
    """The design card fixes the top level."""
    assert {path.name for path in (ROOT / "src").iterdir() if path.name != "__pycache__"} == set(LAYERS)
    for required in ("pyproject.toml", "architecture.md", "README.md", "CHANGELOG.md", "Makefile", "tests"):
        assert (ROOT / required).exists()


@pytest.mark.parametrize("package", LAYERS)
def test_a_layer_imports_only_what_lies_below_it(package: str) -> None:
    """Imports go entrypoints -> adapters | domain -> ports."""
    for path in modules(package):
        ours = imported(path) & set(LAYERS)
        assert ours <= LAYERS[package], f"{path.relative_to(ROOT)} imports {ours - LAYERS[package]}"


def test_ports_import_the_standard_library_only() -> None:
    """A port can be read and implemented without installing anything."""
    allowed = sys.stdlib_module_names | {"ports"}
    for path in modules("ports"):
        assert imported(path) <= allowed, path


def test_the_domain_knows_no_library_but_pydantic() -> None:
    """Rules don't depend on how they are stored, sent or shown."""
    allowed = sys.stdlib_module_names | {"ports", "domain", "pydantic"}
    for path in modules("domain"):
        assert imported(path) <= allowed, path


def test_only_the_composition_names_concrete_adapters() -> None:
    """The container, and what opens or empties a database; all else works with ports."""
    composition = {"container.py", "service.py", "databases.py", "uninstall.py"}
    for path in modules("entrypoints"):
        if path.name not in composition:
            assert "adapters" not in imported(path), path.relative_to(ROOT)


def test_importing_everything_starts_nothing() -> None:
    """No threads, connections, files or log lines come from an import."""
    names = [
        module.name
        for package in LAYERS
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        if not module.name.endswith("__main__") and ".migrations" not in module.name
    ]
    script = (
        "import sys, threading, importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
