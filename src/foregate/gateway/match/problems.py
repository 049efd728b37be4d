"""What is wrong with a rule, in a sentence for the person who wrote it."""

import re
from collections.abc import Iterator

from foregate.gateway.match.hosts import problem_with_host
from foregate.gateway.match.path import DOTS
from foregate.gateway.match.regexes import compile_regex, problem_with_path_regex, problem_with_regex
from foregate.gateway.match.template import problem_with_template, read_template
from foregate.wire.match import HeaderRule, QueryRule, Rule

PATH_LENGTH_MAX = 1_024
SEGMENTS_MAX = 64
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_NOT_PLAIN = re.compile(r"[^!-~]|[?#%;\\]")


def problem_with(rule: Rule) -> str | None:
    """The first problem of a rule; None when a Router may have it."""
    return next(_problems(rule), None)


def parameters(rule: Rule) -> frozenset[str]:
    """The names of the parameters that a match of this rule has (a regex: its groups, by number and name)."""
    if rule.kind == "template":
        return frozenset(read_template(rule.path).names)
    if rule.kind == "regex":
        compiled = compile_regex(rule.path)
        return frozenset(compiled.groupindex) | {str(number) for number in range(1, compiled.groups + 1)}
    return frozenset()


def _problems(rule: Rule) -> Iterator[str]:
    path = problem_with_path_regex(rule.path) if rule.kind == "regex" else _problem_with_path(rule)
    if path is not None:
        yield path
    for host in rule.hosts:
        if (problem := problem_with_host(host)) is not None:
            yield problem
    for method in rule.methods:
        if _TOKEN.fullmatch(method) is None or method != method.upper():
            yield f'method "{method}" is not a method like GET, in capital letters'
    for header in rule.headers:
        if _TOKEN.fullmatch(header.name) is None:
            yield f'header "{header.name}" is not a name of a header field'
    conditions: tuple[HeaderRule | QueryRule, ...] = (*rule.headers, *rule.queries)
    for condition in conditions:
        if (problem := _problem_with_condition(condition)) is not None:
            yield problem


def _problem_with_path(rule: Rule) -> str | None:
    path = rule.path
    if not path.startswith("/"):
        return f'"{path}" must start with "/"'
    if len(path) > PATH_LENGTH_MAX or path.count("/") > SEGMENTS_MAX:
        return f"the path has more than {PATH_LENGTH_MAX} characters or {SEGMENTS_MAX} segments"
    if len(path) > 1 and path.endswith("/"):
        return f'"{path}" must not end with "/": a trailing slash makes no difference'
    if "//" in path or _NOT_PLAIN.search(path):
        return f'"{path}" must be plain and decoded: ASCII, without "//", "%", "?", "#", ";", backslashes and spaces'
    dots = next((segment for segment in path.split("/") if segment.encode() in DOTS), None)
    if dots is not None:
        return f'"{path}" has the dot segment "{dots}", which is refused in requests'
    return problem_with_template(path) if rule.kind == "template" else None


def _problem_with_condition(condition: HeaderRule | QueryRule) -> str | None:
    if condition.kind in ("present", "absent") and condition.value:
        return f'the condition on "{condition.name}" is {condition.kind}, which takes no value'
    if condition.kind == "prefix" and not condition.value:
        return f'the condition on "{condition.name}" has an empty prefix: say present'
    return problem_with_regex(condition.value) if condition.kind == "regex" else None
