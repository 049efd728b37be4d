"""What could be written but never be made is known before any worker has it."""

from pathlib import Path

import pytest

from foregate.app.config import ConfigRefused, load
from foregate.app.config.verify import verified

PEPPER = b"p" * 32
SERVICE = "services: {a: {targets: [http://127.0.0.1:1]}}\n"


@pytest.mark.parametrize(
    ("policies", "where"),
    [
        ("rate_limits: [{rate: 1/s}, {name: b, rate: 100000000/s, algorithm: sliding_window}]", "rate_limits[1]"),
        ("rate_limits: [{max: 100000000, algorithm: concurrency}]", "rate_limits[0]"),
        ("quotas: [{limit: 5000000000, period: day}]", "quotas[0]"),
    ],
)
def test_a_limit_that_no_store_can_count_is_refused_by_its_place(policies: str, where: str, tmp_path: Path) -> None:
    file = tmp_path / "foregate.yaml"
    file.write_text(f"{SERVICE}policies:\n  {policies}\n")
    with pytest.raises(ConfigRefused) as refused:
        verified(load(file, {}), PEPPER)
    (problem,) = refused.value.problems
    assert f"foregate.yaml:3: policies.{where}: cannot be counted: " in str(problem)
