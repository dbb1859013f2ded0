"""As much of the Dockerfile as can be checked without an engine: its stages, what it copies, what it
installs, who runs it."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest
import without_extras
import yaml

from scripts.lock_images import EXTRAS, WITHOUT_HASHES, read_pins

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "Dockerfile"
KNOWN = {
    "ARG",
    "FROM",
    "ENV",
    "RUN",
    "WORKDIR",
    "COPY",
    "USER",
    "VOLUME",
    "EXPOSE",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


@dataclass
class Stage:
    """`FROM base AS name`, and its instructions."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [arguments for word, arguments in self.steps if word == instruction]


def stages() -> dict[str, Stage]:
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: dict[str, Stage] = {}
    for line in filter(None, text.splitlines()):
        word, _, arguments = line.partition(" ")
        assert word in KNOWN, line
        if word == "FROM":
            base, _, name = arguments.partition(" AS ")
            stage = found[name] = Stage(base, name)
        elif found:
            stage.steps.append((word, arguments))
    return found


def line_of(name: str) -> list[Stage]:
    """A stage and those that it stands on."""
    known = stages()
    stage = known[name]
    return [stage, *(line_of(stage.base) if stage.base in known else [])]


@pytest.mark.parametrize("target", ["train", "serve"])
def test_an_image_is_a_slim_python_and_one_environment(target: str) -> None:
    known = stages()
    assert re.fullmatch(r"python:\$\{PYTHON_VERSION\}-slim", line_of(target)[-1].base)
    [copied] = known[target].all("COPY")
    assert copied == f"--from=build-{target} /opt/shopkeeper /opt/shopkeeper"
    assert f"build-{target}" in known
    assert not [
        step for stage in line_of(target) for step in stage.all("RUN") if "pip" in step or "apt" in step
    ]
    shell, option, script, name = json.loads(known[target].all("ENTRYPOINT")[0])
    assert (shell, option, name) == ("sh", "-c", "shopkeeper")
    assert script == 'cp -r /opt/shopkeeper/numba /tmp/; exec shopkeeper "$@"'
    assert "NUMBA_CACHE_DIR=/tmp/numba" in " ".join(known["base"].all("ENV"))
    assert "NUMBA_CACHE_DIR=/opt/shopkeeper/numba python -m serving.compile_loops" in " ".join(
        known[f"build-{target}"].all("RUN")
    )


@pytest.mark.parametrize("target", ["train", "serve"])
def test_nothing_runs_as_root_and_what_is_made_is_kept(target: str) -> None:
    words = [word for word, _ in stages()[target].steps]
    [user] = stages()[target].all("USER")
    assert int(user) > 0
    assert f"--uid {user}" in line_of(target)[-1].all("RUN")[0]
    assert words.index("COPY") < words.index("USER") < words.index("ENTRYPOINT")
    assert stages()[target].all("VOLUME") == ["/shop"]


def test_the_server_is_asked_how_it_is() -> None:
    [check] = stages()["serve"].all("HEALTHCHECK")
    assert "/readyz" in check
    assert stages()["serve"].all("EXPOSE") == ["8000"]


def test_every_source_of_a_copy_exists_and_is_sent_to_the_builder() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in patterns if line.startswith("!")}
    assert patterns.index("*") < min(patterns.index(f"!{name}") for name in sent)
    known = stages()
    for stage in known.values():
        for arguments in stage.all("COPY"):
            *sources, _ = arguments.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in known
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert any(fnmatch(source, name) for name in sent), source


def test_the_packages_of_the_project_are_copied() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]["packages"]
    assert {f"{name} {name}" for name in packages} <= set(stages()["build-serve"].all("COPY"))


def test_what_is_installed_has_a_hash() -> None:
    """But for torch, and the project itself."""
    installs = [step for stage in stages().values() for step in stage.all("RUN") if "pip install" in step]
    hashed = [step for step in installs if "--require-hashes" in step]
    [torch] = [step for step in installs if step.endswith(" torch")]
    assert "-c constraints.txt" in torch
    assert len(hashed) == 2
    own = [step for step in installs if step not in (*hashed, torch)]
    assert len(own) == 2
    assert all(step.startswith("pip install --no-deps . ") for step in own)
    [default] = [value for value in stages()["build-train"].all("ARG") if value.startswith("EXTRAS=")]
    extras = default.removeprefix("EXTRAS=").split(",")
    for name in ("serve", "demo", *extras):
        assert (ROOT / "locks" / f"{name}.lock").is_file(), name
    assert set(extras) <= set(without_extras.extras())
    assert "torch" in " ".join(without_extras.extras()["train"])


def test_the_server_has_no_extra_but_redis() -> None:
    pins = read_pins((ROOT / "locks" / "serve.lock").read_text(encoding="utf-8"))
    assert {"redis", "hiredis"} <= set(pins)
    assert not {"torch", "pytorch-lightning", "onnx", "mlflow", "pandas", "matplotlib"} & set(pins)
    assert {"torch", "mlflow"} <= without_extras.absent()
    steps = " ".join(step for stage in line_of("build-serve") for step in stage.all("RUN"))
    assert steps.count("locks/") == steps.count("locks/serve.lock") == 1


@pytest.mark.parametrize("lock", sorted(path.stem for path in (ROOT / "locks").iterdir()))
def test_a_lock_has_the_versions_of_the_constraints_and_hashes(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.lock").read_text(encoding="utf-8")
    constraints = read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = read_pins(text)
    assert pins
    assert {name: version for name, version in pins.items() if constraints.get(name) != version} == {}
    for block in re.split(r"\n(?=\S)", text.strip())[1:]:
        assert re.fullmatch(r"\S+==[^\\+]+\\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+", block), block[:80]
    assert "://" not in text


@pytest.mark.parametrize(("lock", "extra"), EXTRAS.items())
def test_a_lock_has_all_that_is_asked_for(lock: str, extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"][extra]]
    names = {re.split(r"[^a-z0-9_-]", one, maxsplit=1)[0].replace("_", "-") for one in wanted}
    found = {
        name
        for one in ("serve", lock)
        for name in read_pins((ROOT / "locks" / f"{one}.lock").read_text(encoding="utf-8"))
    }
    assert names - found <= {WITHOUT_HASHES}


def test_the_compose_file_builds_what_is_here() -> None:
    folder = ROOT / "docs" / "container"
    services = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))["services"]
    build = services["shopkeeper"]["build"]
    assert (folder / build["context"] / "Dockerfile").resolve() == DOCKERFILE
    assert build["target"] in stages()
    assert services["front"]["network_mode"] == "service:shopkeeper"
    assert (folder / services["front"]["volumes"][0].partition(":")[0]).is_file()
    assert {port.split(":")[0] for port in services["shopkeeper"]["ports"]} == {"127.0.0.1"}
