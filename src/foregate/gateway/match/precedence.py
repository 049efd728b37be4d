"""Which rule goes first when several take a request.

1. the higher `priority`;
2. the host: exact with port, exact, wildcard (the longest, then with port), any;
3. the path: exact, template (more fixed segments, then without "{rest...}", then more segments, then the one whose
   first fixed segment stands further left), prefix (the longest), regex (in the order given);
4. more conditions on method, headers and query (each header and each parameter is one, methods together are one);
5. for HEAD: a rule that names it, before one that takes it because it takes GET (`entry.order`);
6. the order in the file.
A rule whose conditions do not hold never hides the next one: there are no dead ends.
"""

from foregate.gateway.match.hosts import HostPattern
from foregate.gateway.match.template import Template
from foregate.wire.match import Rule

Rank = tuple[int, tuple[int, ...], tuple[int, ...], int, int]  # the smaller goes first


def rank(rule: Rule, host: HostPattern | None, path: Template, index: int) -> Rank:
    """The place of a rule for one of its hosts (None: any). `path` is the rule's, `index` its place in the file."""
    conditions = len(rule.headers) + len(rule.queries) + bool(rule.methods)
    return -rule.priority, _of_host(host), _of_path(rule, path, index), -conditions, index


def _of_host(host: HostPattern | None) -> tuple[int, ...]:
    if host is None:
        return (2,)
    without_port = 0 if host.port else 1
    return (1, -len(host.name), without_port) if host.wildcard else (0, without_port)


def _of_path(rule: Rule, path: Template, index: int) -> tuple[int, ...]:
    if rule.kind == "exact":
        return (0,)
    if rule.kind == "template":
        fixed = len(path.parts) - path.parts.count(None)
        return (1, -fixed, path.rest, -len(path.parts), *(part is None for part in path.parts))
    if rule.kind == "prefix":
        return (2, -len(path.parts))
    return (3, index)
