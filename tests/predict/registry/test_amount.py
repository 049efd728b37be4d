"""How far an organisation is from enough to learn from."""

from foregate.predict.registry.amount import Amount, missing


def test_what_is_missing_is_said_until_there_is_enough() -> None:
    assert missing(Amount(3.04, 2, 40)) == "learning: 3 of 14 days, 2 of 20 failures"
    assert missing(Amount(13.99, 20, 1)) == "learning: 13.9 of 14 days, 1 of 3 APIs"
    assert missing(Amount(0, 0, 0)) == "learning: 0 of 14 days, 0 of 20 failures, 0 of 3 APIs"
    assert missing(Amount(14, 20, 3)) is None
