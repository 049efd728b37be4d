"""The last step of a route to models: read the request, look who may answer, reserve its tokens, begin to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.ai import models_page, replay, routing
from foregate.gateway.ai.answer_cache import AnswerCache, cacheable, key_of
from foregate.gateway.ai.conversation import Conversation
from foregate.gateway.ai.errors import MODELS_PATH, PARAM, asked_path, told
from foregate.gateway.ai.formats import FORMAT_OF_PATH, FORMATS, Asked, BadRequest, translation
from foregate.gateway.ai.health import Measured, ModelHealth
from foregate.gateway.ai.models import Candidate, Catalogue, Plan, allowed
from foregate.gateway.ai.token_limits import Expected, TokenLimits, bounded
from foregate.gateway.ai.usage import Usage
from foregate.gateway.policies.bodies import encoded
from foregate.gateway.policies.policy import Answer, Ask, Handle, Means, NeedBody, Policy, Refuse, Verdict
from foregate.gateway.scopes import Set
from foregate.ports.blocks import Cells
from foregate.wire.ai import AiRoute, Provider

if TYPE_CHECKING:
    from foregate.gateway.ai.formats.format import Format, Translation
    from foregate.gateway.chains import Chain
    from foregate.gateway.request import Request

_NO_PATH = Refuse(
    "route_not_found", "This route takes the paths of the OpenAI and Anthropic APIs: /v1/chat/completions …"
)


class Models(Policy):
    """What all chains of a route have in common: its models, and the answers that it keeps. Taken over by reloads."""

    name = "ai"

    def __init__(
        self,
        route: str,
        settings: AiRoute,
        providers: Mapping[str, Provider | None],
        means: Means,
        cells: Callable[[str], Cells],
    ) -> None:
        known = {name: provider for name, provider in providers.items() if provider is not None}
        self.route = route
        self.settings = settings
        self.means = means
        self.catalogue = Catalogue(settings, known)
        self.cache = AnswerCache(settings.answer_cache) if settings.answer_cache is not None else None
        kinds = {provider.provider == "anthropic" for provider in known.values()}
        # Worked out beforehand: translators are imported when they are first asked for, which takes milliseconds.
        self._ways = {(name, kind): _way(spoken, kind) for name, spoken in FORMATS.items() for kind in kinds}
        self._cells = {
            (service, model): cells(layout.ai_block(service, model)[0])
            for service, provider in known.items()
            for model in provider.models
        }

    def way(self, spoken: Format, provider: Provider) -> Translation | None:
        """How a request in this format is said to a provider; None when it cannot be."""
        return self._ways[spoken.name, provider.provider == "anthropic"]

    def cells_of(self, candidate: Candidate) -> Cells:
        """The numbers of a model."""
        return self._cells[candidate.service, candidate.entry]

    def health_of(self, candidate: Candidate) -> ModelHealth:
        """What is known of a model."""
        return self.means.health.of(candidate.service, candidate.model)

    def order(self, plan: Plan, asked: Asked) -> list[Candidate]:
        """Who is asked, in this order. Models whose context is too small for the prompt are not."""
        if len(plan.first) == 1 and not plan.then and plan.first[0].settings.context_tokens is None:
            return [plan.first[0]]
        now_s = self.means.clock.monotonic()

        def measured(candidate: Candidate) -> Measured:
            return self.health_of(candidate).measured(now_s, asked.stream)

        def tokens(candidate: Candidate) -> Usage:
            return Usage(asked.input_tokens, output_max(asked, candidate))

        if any(candidate.settings.context_tokens is not None for candidate in (*plan.first, *plan.then)):
            plan = Plan(plan.routing, _roomy(plan.first, asked), _roomy(plan.then, asked))
        return routing.ordered(plan, measured, tokens, self.settings.attempts_max)


class AiStep(Policy):
    """Of one chain: `access` and `limits` are those of whoever asks."""

    name = "ai"
    problems = staticmethod(told)

    def __init__(self, models: Models, limits: Sequence[Set], access: Set | None, means: Means) -> None:
        self.models = models
        self._named: dict[str, Chain] = {}  # as many as the route has services
        self._limits = TokenLimits(limits, means)
        self._allow: tuple[str, ...] | None = access.settings.allow if access is not None else None
        self._monotonic = means.clock.monotonic
        self._wall = means.clock.now

    def admit(self, request: Request) -> Verdict | None:
        path = asked_path(request)
        spoken = FORMAT_OF_PATH.get(path)
        if spoken is None:
            return self._without_body(request, path)
        if request.method != b"POST":
            return Refuse("method_not_allowed", lines=b"allow: POST\r\n")
        if request.body is None:
            return encoded(request) or NeedBody(self.models.settings.body_bytes_max)
        try:
            asked = spoken.read(request.body)
        except BadRequest as error:
            return bad_request(error)
        return self._asked(request, asked)

    def _without_body(self, request: Request, path: bytes) -> Verdict:
        if path != MODELS_PATH and not path.startswith(MODELS_PATH + b"/"):
            return _NO_PATH
        if request.method not in (b"GET", b"HEAD"):
            return Refuse("method_not_allowed", lines=b"allow: GET, HEAD\r\n")
        names = [(name, service) for name, service in self.models.catalogue.names() if self._may_ask(name)]
        anthropic = request.header(b"anthropic-version") is not None
        body = models_page.render(names, path[len(MODELS_PATH) + 1 :].decode("latin-1"), anthropic)
        return Answer(200, b"content-type: application/json\r\n", body) if body is not None else _no_model("")

    def _may_ask(self, model: str) -> bool:
        return self._allow is None or allowed(model, self._allow)

    def _asked(self, request: Request, asked: Asked) -> Verdict | None:
        models = self.models
        plan = models.catalogue.plan(asked.model) if self._may_ask(asked.model) else None
        if plan is None:
            return _no_model(asked.model)
        asked.created = int(self._wall())
        cache, key = models.cache, b""
        if cache is not None and cacheable(asked, cache.settings):
            key = key_of(request, asked, cache.settings)
            kept = cache.find(key, self._monotonic())
            if kept is not None:
                request.chain = self.answered_by(request.chain, kept.service)
                return Handle(partial(replay.begin, asked=asked, kept=kept))
            request.cache = "miss"
        candidates = models.order(plan, asked)
        if not candidates:
            return bad_request(BadRequest(f"The prompt is longer than the context of {asked.model}.", "messages"))
        if not self._limits:
            return self._begin(asked, candidates, key)
        expected = Expected(asked.input_tokens, max(output_max(asked, candidate) for candidate in candidates))
        found = self._limits.reserve(request, expected)
        if found is None or isinstance(found, Refuse):
            return found or self._begin(asked, candidates, key)
        return Ask(self._later(found, asked, candidates, key))

    async def _later(
        self, found: Awaitable[Refuse | None], asked: Asked, candidates: list[Candidate], key: bytes
    ) -> Verdict:
        return await found or self._begin(asked, candidates, key)

    def _begin(self, asked: Asked, candidates: list[Candidate], key: bytes) -> Handle:
        return Handle(lambda request, asking: Conversation(request, asking, self, asked, candidates, key).start())

    def said_to(self, candidate: Candidate, asked: Asked) -> Asked:
        """The request as it is said to a provider: within what was reserved for it, where answers are limited."""
        if not self._limits.of_output:
            return asked
        compatible = candidate.provider.provider == "openai-compatible"
        return bounded(asked, candidate.settings.output_tokens_max, compatible)

    def answered_by(self, chain: Chain, service: str) -> Chain:
        """The request's own chain, for an event that says which service has answered."""
        found = self._named.get(service)
        if found is None:
            found = self._named[service] = copy(chain)  # shared by requests: the copy alone has this name
            found.service_name = service
        return found


def _way(spoken: Format, to_anthropic: bool) -> Translation | None:
    if to_anthropic == (spoken.vendor == "anthropic"):
        return translation(spoken, spoken)
    return translation(spoken, FORMATS["anthropic-messages" if to_anthropic else "openai-chat"])


def output_max(asked: Asked, candidate: Candidate) -> int:
    """The most tokens that the answer may have."""
    if asked.format.operation == "embeddings":
        return 0
    most = asked.output_tokens_max
    return asked.choices * (candidate.settings.output_tokens_max if most is None else most)


def bad_request(error: BadRequest) -> Refuse:
    """A request that cannot be read, or not be said in any provider's language."""
    return Refuse("invalid_parameter", error.sentence, members={PARAM: error.param})


def _roomy(candidates: Sequence[Candidate], asked: Asked) -> tuple[Candidate, ...]:
    """Those whose context the prompt fits into, by our own estimate of it."""
    return tuple(
        candidate
        for candidate in candidates
        if candidate.settings.context_tokens is None or asked.input_tokens <= candidate.settings.context_tokens
    )


def _no_model(model: str) -> Refuse:
    shown = model[:100]
    detail = f'There is no model "{shown}" here, or this key may not use it.' if shown else ""
    return Refuse("model_not_found", detail, members={PARAM: "model"})
