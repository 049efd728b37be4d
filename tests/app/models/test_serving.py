"""What promotion and rollback make of which model serves."""

import pytest

from foregate.app.models.serving import REST_S, promotable, promoted, rolled_back
from foregate.kernel.errors import ForegateError
from foregate.wire.models import BUNDLED, ModelEntry, Serving


def entry(version: str, *, better: bool = True) -> ModelEntry:
    return ModelEntry("shop", version, 1.0, 0.0, 1.0, "ab", 3, better, "not surely better" if not better else "better")


def test_a_better_model_takes_over_and_a_refused_one_says_why_not() -> None:
    assert promotable(entry("v1"), Serving(), 10.0) is None
    assert promotable(entry("v1", better=False), Serving(), 10.0) == "not surely better"
    serving = promoted(Serving(), entry("v1"), 10.0)
    assert (serving.version, serving.since_s, serving.changes[-1].before) == ("v1", 10.0, BUNDLED)
    assert promotable(entry("v1"), serving, 11.0) == "it serves already"


def test_rolling_back_leads_to_who_served_before_and_the_same_model_never_returns_by_itself() -> None:
    serving = promoted(promoted(Serving(), entry("v1"), 10.0), entry("v2"), 20.0)
    back = rolled_back(serving, {"v1", "v2"}, None, 30.0, "cli", "too loud")
    assert (back.version, back.withdrawn, back.changes[-1].reason) == ("v1", ("v2",), "too loud")
    assert "not promoted again" in (promotable(entry("v2"), back, 30.0 + 2 * REST_S) or "")
    again = rolled_back(back, {"v1", "v2"}, None, 31.0, "cli")
    assert (again.version, again.withdrawn) == (BUNDLED, ("v1", "v2"))


def test_after_a_rollback_nothing_is_promoted_for_a_week() -> None:
    back = rolled_back(promoted(Serving(), entry("v1"), 10.0), {"v1"}, None, 30.0, "cli")
    assert "another 7.0 days" in (promotable(entry("v2"), back, 31.0) or "")
    assert promotable(entry("v2"), back, 30.0 + REST_S) is None


def test_a_person_may_name_any_model_that_is_kept_even_a_withdrawn_one() -> None:
    back = rolled_back(promoted(Serving(), entry("v1"), 10.0), {"v1", "v0"}, None, 30.0, "cli")
    assert rolled_back(back, {"v1", "v0"}, "v0", 40.0, "cli").version == "v0"
    returned = rolled_back(back, {"v1", "v0"}, "v1", 40.0, "cli")
    assert (returned.version, returned.withdrawn) == ("v1", ())


def test_what_is_not_kept_or_serves_already_is_refused() -> None:
    with pytest.raises(ForegateError, match="no model v9"):
        rolled_back(Serving(), {"v1"}, "v9", 1.0, "cli")
    with pytest.raises(ForegateError, match="serves already"):
        rolled_back(Serving(), {"v1"}, None, 1.0, "cli")


def test_a_predecessor_that_had_to_go_is_replaced_by_the_bundled_model() -> None:
    serving = promoted(promoted(Serving(), entry("v1"), 10.0), entry("v2"), 20.0)
    assert rolled_back(serving, {"v2"}, None, 30.0, "cli").version == BUNDLED
