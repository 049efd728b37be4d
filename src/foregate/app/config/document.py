"""YAML with a memory of places: plain data, and for every path the line it stands on."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path as File
from typing import Any

import yaml

from foregate.app.config.forms import FromEnvironment
from foregate.app.config.problems import ConfigRefused, Path, Problem, dotted

DOCUMENT_BYTES_MAX = 67_108_864  # a larger file is refused; 100,000 keys are about 12 MB
NODES_MAX = 500_000  # what aliases may unfold to; beyond it, and beyond one per byte, the file is refused

# `{secret: ${env:NAME}}` is how people write it, but braces end a YAML flow scalar: references travel through the YAML
# parser between two private-use characters instead.
_ENV_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_SHELTERED = re.compile("\ue000([A-Za-z_][A-Za-z0-9_]*)\ue001")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster, where it was built
OVERRIDE_PREFIX = "FOREGATE__"  # FOREGATE__LISTEN__GATEWAY=127.0.0.1:9000
KNOWN_VARIABLES: dict[str, Path] = {  # names that people know from before
    "ALERT_THRESHOLD": ("alerts", "threshold"),
    "MODEL_PATH": ("predict", "model_path"),
    "ENABLE_SHAP": ("predict", "explain"),
    "BATCH_SIZE": ("telemetry", "batch_size"),
    "FLUSH_INTERVAL_SECONDS": ("telemetry", "flush_interval_s"),
    "MAX_BUFFER_CAPACITY": ("telemetry", "buffer_items_max"),
    "KAFKA_TOPIC_RAW": ("telemetry", "bus", "kafka", "topic_raw"),
    "RETENTION_DAYS": ("telemetry", "retention_days"),
}


@dataclass
class Document:
    """`data` is what the file says; `places` maps each path to "file:line" or to the variable that set it."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)  # values that came from it → how they may be shown
    file: File | None = None  # absolute

    @property
    def folder(self) -> File:
        """What relative paths in it are relative to."""
        return self.file.parent if self.file is not None else File().absolute()

    def place(self, path: Path) -> str:
        """The place of `path`, or of the nearest thing around it that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)


def read_document(file: File | None, environ: Mapping[str, str]) -> Document:
    """Read `file` (None: an empty document), fill in `${env:NAME}`, then lay the environment's overrides over it."""
    document = _parse(file) if file is not None else Document("(no file)")
    problems: list[Problem] = []
    document.data = _fill_in(document, document.data, (), environ, problems)
    for name, value in sorted(environ.items()):
        path = KNOWN_VARIABLES.get(name) or _override_path(name)
        if path and value:
            _override(document, name, path, value, problems)
    if problems:
        raise ConfigRefused(problems)
    return document


def _override_path(name: str) -> Path:
    """`FOREGATE__ROUTES__0__PATH` → ("routes", 0, "path"); any other name → ()."""
    if not name.startswith(OVERRIDE_PREFIX):
        return ()
    parts = name.removeprefix(OVERRIDE_PREFIX).split("__")
    return tuple(int(part) if part.isdigit() else part.lower() for part in parts)


def _parse(file: File) -> Document:
    document = Document(str(file), file=file.absolute())
    try:
        size = file.stat().st_size
        if size > DOCUMENT_BYTES_MAX:
            raise ConfigRefused([Problem(str(file), "", f"is larger than {DOCUMENT_BYTES_MAX} bytes")])
        text = _ENV_REFERENCE.sub("\ue000\\1\ue001", file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigRefused([Problem(str(file), "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigRefused([Problem(str(file), "", f"is not UTF-8 (byte {error.start})")]) from error
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigRefused([Problem(f"{file}:{line}", "", f"is not valid YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise ConfigRefused([Problem(str(file), "", f"is not valid YAML: {error}")]) from error
    if root is None:
        return document
    if not isinstance(root, yaml.MappingNode):
        raise ConfigRefused([Problem(f"{file}:1", "", "must be a mapping with keys such as services and routes")])
    document.data = _Builder(document, size).mapping(root, ())
    return document


class _Builder:
    """Turns YAML nodes into plain data, noting each place, refusing duplicate keys and unfolding bombs."""

    def __init__(self, document: Document, size: int) -> None:
        self._document = document
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self._nodes_max = max(NODES_MAX, size)  # what is written out has fewer nodes than bytes

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*path, key)
            place = self._note(here, key_node)
            if key in result:
                first = self._document.places[here]
                raise ConfigRefused([Problem(place, dotted(here), f"is given twice (first at {first})")])
            self._document.places[here] = place
            result[key] = self.value(value_node, here)
        return result

    def value(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                here = (*path, index)
                self._document.places[here] = self._note(here, item)
                items.append(self.value(item, here))
            return items
        return self._constructor.construct_object(node)

    def _note(self, path: Path, node: yaml.Node) -> str:
        self._nodes += 1
        place = f"{self._document.name}:{node.start_mark.line + 1}"
        if self._nodes > self._nodes_max or len(path) > 32:
            raise ConfigRefused([Problem(place, dotted(path), "unfolds to too many or too deep values")])
        return place


def _fill_in(document: Document, value: Any, path: Path, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {k: _fill_in(document, v, (*path, k), environ, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill_in(document, v, (*path, i), environ, problems) for i, v in enumerate(value)]
    if not isinstance(value, str) or "\ue000" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            sentence = f"needs the environment variable {name}, which is not set"
            problems.append(Problem(document.place(path), dotted(path), sentence))
            return ""
        document.environment[environ[name]] = f"${{env:{name}}}"
        return environ[name]

    return FromEnvironment(_SHELTERED.sub(replace, value))


def _override(document: Document, name: str, path: Path, value: str, problems: list[Problem]) -> None:
    """Lay one variable over the document; its value is read as YAML (so `8`, `true` and `[a]` work)."""
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        parsed = value
    here: Any = document.data
    for part, following in pairwise(path):
        if isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        elif isinstance(here, dict) and isinstance(part, str):
            here = here.setdefault(part, [] if isinstance(following, int) else {})
        else:
            here = None
    last = path[-1]
    fits = isinstance(last, str) if isinstance(here, dict) else isinstance(here, list) and last in range(len(here))
    if not fits:
        problems.append(Problem(f"environment variable {name}", dotted(path), "names a place that does not exist"))
        return
    here[last] = FromEnvironment(parsed) if isinstance(parsed, str) else parsed
    document.places[path] = f"environment variable {name}"
    document.environment[value] = f"${{env:{name}}}"


def default_environ() -> Mapping[str, str]:
    """The process's environment: the one place where it enters."""
    return os.environ  # noqa: TID251 - see the docstring
