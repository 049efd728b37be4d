"""From a request to its route: host, path, method, headers and query, at a cost that does not grow with routes.

`Router` finds, `precedence` says which rule goes first, `problem_with` refuses bad rules, `split` shares by weight,
`rewrite` makes the upstream's path, `explain` says why.
"""

from foregate.gateway.match.entry import Match
from foregate.gateway.match.path import UNSAFE
from foregate.gateway.match.problems import problem_with
from foregate.gateway.match.router import Router, RouterBuilder
from foregate.gateway.match.split import Split

__all__ = ["UNSAFE", "Match", "Router", "RouterBuilder", "Split", "problem_with"]
