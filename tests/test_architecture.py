"""Goal: hold the written rules of form; method: read the sources as syntax trees and as text.

What ruff, mypy and import-linter can say is configured in ``pyproject.toml``; this is the rest.
Every rule names its offenders, and holds for modules that are added later without naming them.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import msgspec.inspect as mi
import pytest

from streams.events import ENVELOPE_TYPES, RECORD_TYPES, TOPIC_OF_SCHEMA, Tick

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("streams", "detectors", "connectors")
FUNCTION_LINES_MAX = 40
MODULE_LINES_MAX = 400

# Of `streams`, these touch the world; everything else in it, and all detectors, are pure.
SHELLS = {"agents", "app", "cli", "custody", "health", "partitioning", "processing", "replay"}
SHELLS |= {"settings", "topics", "transport"}
IMPURE = {"aiokafka", "asyncio", "connectors", "faust", "mode", "os", "random", "secrets"}
IMPURE |= {"socket", "structlog", "subprocess", "threading", "time"}
CLOCKS_AND_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4"}
PICKLING = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
FAUST_MODULES = {"streams.agents", "streams.app", "streams.processing", "streams.topics"}
FAUST_MODULES |= {"streams.transport"}
SETTINGS_READERS = {"streams.app", "streams.cli", "streams.replay"}
# Tests of what several modules promise together, named after the promise.
PROMISES = {"contract", "scenarios"}

# Text of ours may point at these only: documents, licences and this machine.
HOSTS = {"127.0.0.1", "localhost", "example.org", "doi.org", "github.com", "www.apache.org"}
HOSTS |= {"asyncapi.com", "www.asyncapi.com", "json-schema.org", "www.w3.org"}
HOSTS |= {"host", "influxdb"}  # a placeholder, and a service of docker-compose.yml
HOSTS |= {"physionet.org", "zenodo.org", "creativecommons.org", "opendatacommons.org"}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".j2", ".json", ".yaml", ".yml", ".lock", ".txt"}
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

MESSAGES: list[type[msgspec.Struct]] = [*ENVELOPE_TYPES.values(), Tick]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _paths(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_or_below(name: str, names: set[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in names)


def _is_shell(module: str) -> bool:
    return module.startswith("streams.") and module.split(".")[1] in SHELLS


def _is_pure(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in {"streams", "detectors"} and not _is_shell(module)


def _body_lines(function: Function) -> int:
    """Lines of a function from its ``def`` to its end, without its docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def _text_files() -> Iterator[Path]:
    folders = (*PACKAGES, "tests", "bench", "docs", "samples", "grafana")
    for path in (*ROOT.glob("*"), *(p for f in folders for p in (ROOT / f).rglob("*"))):
        if path.is_file() and (path.suffix in TEXT_SUFFIXES or path.name == "Makefile"):
            yield path


def test_functions_and_modules_stay_short() -> None:
    offenders = []
    for path in _paths(*PACKAGES, "tests", "bench"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES_MAX:
            offenders.append(f"{_name(path)}: {lines} lines")
        offenders.extend(
            f"{_name(path)}.{node.name}: {_body_lines(node)} lines"
            for node in ast.walk(_tree(path))
            if isinstance(node, Function) and _body_lines(node) > FUNCTION_LINES_MAX
        )
    assert offenders == []


def test_the_pure_part_imports_nothing_that_touches_the_world() -> None:
    offenders = [
        f"{module} imports {name}"
        for path in _paths("streams", "detectors")
        if _is_pure(module := _name(path))
        for name in _imports(_tree(path))
        if _is_or_below(name, IMPURE) or _is_shell(name)
    ]
    assert offenders == []


def test_the_pure_part_asks_no_clock_and_draws_no_lots() -> None:
    offenders = [
        f"{_name(path)}:{node.lineno}"
        for path in _paths("streams", "detectors")
        if _is_pure(_name(path))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in CLOCKS_AND_CHANCE
    ]
    assert offenders == []


def test_the_vocabulary_imports_only_msgspec_and_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"msgspec"}
    offenders = [
        f"{_name(path)} imports {name}"
        for path in _paths("streams/events")
        for name in _imports(_tree(path))
        if name.split(".")[0] not in allowed
        if name != "streams" and not _is_or_below(name, {"streams.events"})
    ]
    assert offenders == []


def test_faust_stays_behind_its_four_modules() -> None:
    offenders = [
        _name(path)
        for path in _paths(*PACKAGES)
        if _name(path) not in FAUST_MODULES
        and any(_is_or_below(name, {"faust", "mode"}) for name in _imports(_tree(path)))
    ]
    assert offenders == []


def _reads_environment(tree: ast.Module) -> bool:
    names = {"environ", "environb", "getenv"}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return not names.isdisjoint(attributes | {n.split(".")[-1] for n in _imports(tree)})


def test_only_the_settings_read_the_environment() -> None:
    offenders = [
        _name(path)
        for path in _paths(*PACKAGES)
        if _name(path) != "streams.settings" and _reads_environment(_tree(path))
    ]
    assert offenders == []


def test_only_app_agents_replay_and_cli_know_the_settings() -> None:
    offenders = [
        _name(path)
        for path in _paths(*PACKAGES)
        if not _is_or_below(_name(path), SETTINGS_READERS)
        and any(_is_or_below(name, {"streams.settings"}) for name in _imports(_tree(path)))
    ]
    assert offenders == []


def test_nothing_is_pickled() -> None:
    offenders = [
        f"{_name(path)} imports {name}"
        for path in _paths(*PACKAGES, "tests", "bench")
        for name in _imports(_tree(path))
        if _is_or_below(name, PICKLING)
    ]
    assert offenders == []


def test_modules_are_named_by_what_they_hold() -> None:
    offenders = [_name(path) for path in _paths(*PACKAGES) if path.stem in VAGUE_NAMES]
    assert offenders == []


@pytest.mark.parametrize("package", PACKAGES)
def test_test_modules_mirror_the_modules_they_test(package: str) -> None:
    offenders = []
    for path in (ROOT / "tests" / package).rglob("test_*.py"):
        folder = ROOT / path.parent.relative_to(ROOT / "tests")
        modules = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.glob("*/")}
        subject = path.stem.removeprefix("test_")
        known = subject in PROMISES or any(
            subject == module or subject.startswith(f"{module}_") for module in modules
        )
        if not known:
            offenders.append(str(path.relative_to(ROOT)))
    assert offenders == []


def test_no_text_is_left_unfinished() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _text_files()
        if path.suffix != ".lock"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert offenders == []


def test_texts_point_only_at_known_hosts() -> None:
    offenders = {
        f"{path.relative_to(ROOT)}: {host}"
        for path in _text_files()
        for host in re.findall(r"https?://([A-Za-z0-9.-]+)", path.read_text(encoding="utf-8"))
        if host.lower() not in HOSTS
    }
    assert offenders == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_hold_versions_and_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=sha256:)", text, flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def _fields(kind: mi.Type, where: str, notes: str = "") -> Iterator[tuple[str, mi.Type, str]]:
    """Walk down to the plain types of a struct: (place, type, description)."""
    match kind:
        case mi.Metadata():
            schema = kind.extra_json_schema or {}
            yield from _fields(kind.type, where, str(schema.get("description", notes)))
        case mi.StructType():
            for field in kind.fields:
                yield from _fields(field.type, f"{where}.{field.encode_name}")
        case mi.UnionType():
            for member in kind.types:
                yield from _fields(member, where, notes)
        case mi.ListType():
            yield from _fields(kind.item_type, f"{where}[]", notes)
        case mi.DictType():
            yield from _fields(kind.key_type, f"{where} key", notes)
            yield from _fields(kind.value_type, f"{where} value", notes)
        case _:
            yield where, kind, notes


def _wire_fields() -> Iterator[tuple[str, mi.Type, str]]:
    for message in MESSAGES:
        yield from _fields(mi.type_info(message), message.__name__)


def _is_measured(kind: mi.IntType | mi.FloatType, notes: str) -> bool:
    low = kind.ge if kind.gt is None else kind.gt
    high = kind.le if kind.lt is None else kind.lt
    return low is not None and high is not None and bool(notes)


def test_every_number_on_the_wire_has_a_range_and_a_unit() -> None:
    offenders = [
        where
        for where, kind, notes in _wire_fields()
        if isinstance(kind, mi.IntType | mi.FloatType) and not _is_measured(kind, notes)
    ]
    assert offenders == []


def test_every_text_on_the_wire_is_bounded() -> None:
    offenders = [
        where
        for where, kind, _ in _wire_fields()
        if isinstance(kind, mi.StrType) and kind.max_length is None and kind.pattern is None
    ]
    assert offenders == []


def test_every_enum_of_a_device_has_a_member_for_what_is_not_known() -> None:
    staff = {"subjects", "care-context", "alert-actions"}
    offenders = [
        where
        for schema, record in RECORD_TYPES.items()
        if TOPIC_OF_SCHEMA[schema] not in staff
        for where, kind, _ in _fields(mi.type_info(record), record.__name__)
        if isinstance(kind, mi.EnumType) and not {"UNKNOWN", "OTHER"} & set(kind.cls.__members__)
    ]
    assert offenders == []


def test_event_structs_are_frozen_and_speak_for_themselves() -> None:
    for struct in (*RECORD_TYPES.values(), *MESSAGES):
        assert struct.__struct_config__.frozen, struct
    assert [name for name, struct in RECORD_TYPES.items() if not struct.__doc__] == []
