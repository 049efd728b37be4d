"""Validate a document whole, and say every problem in the words of its author."""

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from foregate.app.config.advice import advice
from foregate.app.config.contradictions import bad_rule, contradictions
from foregate.app.config.document import Document, read_document
from foregate.app.config.forms import FromEnvironment
from foregate.app.config.problems import ConfigRefused, Path, Problem, dotted
from foregate.app.config.schema import Config, Route
from foregate.app.config.wanted import WANTED

PROBLEMS_MAX = 100  # said; a file with more of them is mended in rounds
SENTENCE_CHARS_MAX = 500  # of one problem: what is wrong may hold what was given
_DICTIONARY = re.compile(r"a valid dictionary(?: or instance of \w+)?")
_SECRET_KEYS = frozenset({"secret", "hash", "secrets"})


@dataclass(frozen=True)
class Loaded:
    """A valid configuration, and the document it came from (for messages about places)."""

    config: Config
    document: Document

    def problem(self, path: Path, sentence: str) -> Problem:
        """A problem that names the place of `path`."""
        return Problem(self.document.place(path), dotted(path), sentence)

    def refuse(self, path: Path, sentence: str) -> ConfigRefused:
        """A refusal that names the place of `path`."""
        return ConfigRefused([self.problem(path, sentence)])

    @property
    def file(self) -> File | None:
        """The file, when there is one."""
        return self.document.file

    @property
    def folder(self) -> File:
        """What relative paths in the file are relative to."""
        return self.document.folder


def load(file: File | None, environ: Mapping[str, str]) -> Loaded:
    """Read and validate. Raises ConfigRefused listing every problem that was found."""
    with _nothing_collected():
        return _load(file, environ)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """A large file makes a million objects, none of them garbage: looking for some took more than half of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _load(file: File | None, environ: Mapping[str, str]) -> Loaded:
    document = read_document(file, environ)
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        found = [_problem(document, details) for details in _causes(error.errors())]
        found += _rule_problems(document)
        raise ConfigRefused(_bounded(document, found)) from None
    loaded = Loaded(config, document)
    against = [loaded.problem(path, sentence) for path, sentence in contradictions(config)]
    if against:
        raise ConfigRefused(_bounded(document, against))
    return loaded


def _causes(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without what only follows from others: a list is not too short because its items were refused."""
    within = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}
    return (details for details in errors if details["type"] != "too_short" or details["loc"] not in within)


def _bounded(document: Document, problems: list[Problem]) -> list[Problem]:
    more = len(problems) - PROBLEMS_MAX
    return [*problems[:PROBLEMS_MAX], Problem(document.name, "", f"and {more} more problems")] if more > 0 else problems


def _rule_problems(document: Document) -> Iterator[Problem]:
    """Bad rules of routes that are good in themselves: said even when something else is wrong with the document."""
    routes = document.data.get("routes")
    for index, given in enumerate(routes if isinstance(routes, list) else ()):
        try:
            route = Route.model_validate(given)
        except ValidationError:
            continue  # said already
        for path, sentence in bad_rule(route, ("routes", index)):
            yield Problem(document.place(path), dotted(path), sentence)


def _problem(document: Document, details: ErrorDetails) -> Problem:
    # "[key]" is pydantic's mark for a bad name in a mapping, "(…)" ours for one of several forms of a value.
    path: Path = tuple(
        part for part in details["loc"] if not (isinstance(part, str) and part[:1] in "[(" and part[-1:] in "])")
    )
    kind = details["type"]
    value = details["input"]
    if kind == "extra_forbidden":
        sentence = f"is not a key here{advice(path)}"
    elif kind == "missing":
        sentence = "is needed"
    elif kind == "value_error":
        sentence = _hidden(str(details["ctx"]["error"]), value)
    elif kind == "string_pattern_mismatch" and (wanted := WANTED.get(details["ctx"]["pattern"])):
        sentence = f"{wanted} (it is {_shown(path, value)})"
    else:
        message = _in_our_words(details["msg"])
        sentence = f"{message[0].lower()}{message[1:]} (it is {_shown(path, value)})"
    return Problem(document.place(path), dotted(path), sentence[:SENTENCE_CHARS_MAX])


def _in_our_words(message: str) -> str:
    """YAML has lists and mappings; what Python makes of them is nobody's business."""
    message = _DICTIONARY.sub("a mapping", message.removeprefix("Input ")).replace(" after validation", "")
    return message.replace("a valid tuple", "a list").replace("a valid list", "a list").replace("Tuple ", "The list ")


def _shown(path: Path, value: Any) -> str:
    """A value fit for a message: secrets are never shown, long ones are cut."""
    if isinstance(value, FromEnvironment) or any(part in _SECRET_KEYS for part in path):
        return "not shown: a secret"
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hidden(sentence: str, value: Any) -> str:
    """A sentence without the value, where that came from the environment."""
    return sentence.replace(value, "…") if isinstance(value, FromEnvironment) and value else sentence
