"""Signing in over real HTTP."""

from pathlib import Path
from urllib.parse import urlencode

from tests.control.world import TOKEN, console, world

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_link_signs_a_browser_in_once(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        made = served.ask("/api/v1/login-links", "POST")
        assert made.status == 201
        assert made.json()["expires_in_s"] > 0
        path = made.json()["url"].removeprefix(served.url)
        first, second = served.ask(path, token=None), served.ask(path, token=None)
        assert (first.status, first.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(first.headers["set-cookie"].split("; "))
        assert second.status == 401
        assert "used before" in second.body.decode()
        assert "set-cookie" not in second.headers
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert served.ask("/api/v1/risks", token=None, headers={"Cookie": cookie}).status == 200


def test_the_token_signs_in_by_form_and_another_one_does_not(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        origin = {"Origin": served.url}
        good = urlencode({"token": f"  {TOKEN}\n"}).encode()
        bad = urlencode({"token": TOKEN[:-1]}).encode()
        assert served.ask("/login", "POST", token=None, headers=FORM | origin, body=good).status == 303
        refused = served.ask("/login", "POST", token=None, headers=FORM | origin, body=bad)
        assert refused.status == 401
        assert "set-cookie" not in refused.headers
        assert TOKEN not in refused.body.decode()
        large = served.ask("/login", "POST", token=None, headers=FORM | origin, body=b"token=" + b"x" * 10_000)
        assert (large.status, large.json()["code"]) == (413, "body_too_large")


def test_a_person_without_a_session_is_sent_to_the_sign_in_page(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        answer = served.ask("/?range=1h", token=None, headers={"Accept": "text/html,*/*"})
        assert (answer.status, answer.headers["location"]) == (303, "/login")
        page = served.ask("/login", token=None)
        assert page.status == 200
        assert "Console token" in page.body.decode()


def test_signing_out_ends_the_session_in_this_browser(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        headers = {"Cookie": served.cookie(), "Origin": served.url}
        answer = served.ask("/logout", "POST", token=None, headers=headers)
        assert answer.status == 303
        assert 'foregate_session=""' in answer.headers["set-cookie"]
        assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_name_that_was_rebound_to_this_machine_gets_nothing(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        answer = served.ask("/api/v1/risks", headers={"Host": f"evil.example:{served.port}"})
        assert (answer.status, answer.json()["code"]) == (403, "origin_refused")
    with world(tmp_path) as here, console(here.deps(hosts=frozenset({"console.example"}))) as served:
        assert served.ask("/api/v1/risks", headers={"Host": "console.example"}).status == 200
