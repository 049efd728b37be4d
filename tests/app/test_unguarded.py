"""Fallbacks to services that guard themselves: refused, unless the guard holds for the request already."""

from pathlib import Path

import pytest

from foregate.app.config import ConfigRefused, load

LIMITS = "rate_limits: [{rate: 10/s}]"
ALLOW = "ip_filter: {allow: [10.0.0.0/8]}"


def problems(
    tmp_path: Path, *, spare: str, general: str = "", service: str = "", route: str = "", plan: str = ""
) -> list[str]:
    file = tmp_path / "foregate.yaml"
    file.write_text(
        f"""\
policies: {{{general}}}
services:
  main: {{targets: ["http://127.0.0.1:1"], policies: {{{service}}}}}
  spare: {{targets: ["http://127.0.0.1:2"], policies: {{{spare}}}}}
routes:
  - {{path: /, service: main, policies: {{{route}}}}}
  - {{path: /spare, service: spare}}
plans: {{gold: {{policies: {{{plan}}}}}}}
"""
    )
    try:
        load(file, {})
    except ConfigRefused as refused:
        return [str(problem).replace(f"{tmp_path}/", "") for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("general", "foregate.yaml:1: policies.fallback.service"),
        ("service", "foregate.yaml:3: services.main.policies.fallback.service"),
        ("route", "foregate.yaml:6: routes[0].policies.fallback.service"),
        ("plan", "foregate.yaml:8: plans.gold.policies.fallback.service"),
    ],
)
@pytest.mark.parametrize("guard", [LIMITS, ALLOW, "bounds: {body_bytes_max: 10}", "api_key: {header: x-internal}"])
def test_a_fallback_that_passes_by_a_guard_is_refused_with_its_place(
    tmp_path: Path, place: str, where: str, guard: str
) -> None:
    (problem,) = problems(tmp_path, spare=guard, **{place: "fallback: {service: spare}"})
    kind = guard.partition(":")[0]
    assert problem.startswith(f"{where}: leads to spare, whose policies.{kind} would not be asked")


@pytest.mark.parametrize("place", ["general", "service", "route"])
@pytest.mark.parametrize("guard", [LIMITS, ALLOW])
def test_a_guard_that_holds_for_the_request_already_is_none_that_is_passed_by(
    tmp_path: Path, place: str, guard: str
) -> None:
    assert problems(tmp_path, spare=guard, **{place: f"fallback: {{service: spare}}, {guard}"}) == []


def test_another_limit_of_the_same_name_does_not_stand_for_it(tmp_path: Path) -> None:
    other = "fallback: {service: spare}, rate_limits: [{rate: 11/s}]"
    (problem,) = problems(tmp_path, spare=LIMITS, route=other)
    assert "whose policies.rate_limits" in problem


def test_bounds_on_what_is_under_way_are_kept_to_and_so_no_reason(tmp_path: Path) -> None:
    spare = "bulkhead: {max: 5}, adaptive_concurrency: {}, timeouts: {attempt_s: 1}"
    assert problems(tmp_path, spare=spare, route="fallback: {service: spare}") == []


def test_a_fallback_with_an_answer_leads_nowhere(tmp_path: Path) -> None:
    assert problems(tmp_path, spare=LIMITS, route="fallback: {body: '{}'}") == []
