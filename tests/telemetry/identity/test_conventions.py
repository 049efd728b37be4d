"""OpenTelemetry's names for our fields: each is one field's, and the newest is the one we write."""

from foregate.telemetry.identity.conventions import (
    AI,
    RESOURCE,
    SPAN,
    ai_usage,
    first,
    http_status,
    origin,
    resource_attributes,
)


def test_every_field_has_names_and_none_twice() -> None:
    for table in (RESOURCE, SPAN, AI):
        for names in table.values():
            assert names
            assert len(set(names)) == len(names)


def test_the_newest_name_holds() -> None:
    for names in SPAN.values():
        said = {name: name for name in names}
        assert first(said, names) == names[0]


def test_a_resource_is_read_as_it_is_written() -> None:
    written = resource_attributes("payments", "staging", "eu-1", "aws", "h1")
    assert origin(written)[:5] == ("payments", "staging", "eu-1", "aws", "h1")
    assert resource_attributes("payments", "", "", "", "") == {"service.name": "payments"}


def test_a_pod_says_more_than_its_host() -> None:
    assert origin({"host.name": "h1", "k8s.pod.name": "p1"}).instance == "p1"


def test_a_status_of_grpc_is_the_one_beside_it() -> None:
    assert http_status({"rpc.grpc.status_code": "0"}) == 200
    assert http_status({"rpc.response.status_code": "UNAVAILABLE"}) == 503
    assert http_status({"rpc.grpc.status_code": "99"}) == 0
    assert http_status({"http.response.status_code": "404", "rpc.grpc.status_code": "0"}) == 404
    assert http_status({"http.response.status_code": "9" * 50}) == 0
    assert http_status({}) == 0


def test_models_are_found_by_old_and_new_names() -> None:
    usage = ai_usage({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-5", "gen_ai.usage.prompt_tokens": "7"})
    assert usage is not None
    assert (usage.provider, usage.model, usage.input_tokens) == ("openai", "gpt-5", 7)
    assert ai_usage({"http.route": "/"}) is None
