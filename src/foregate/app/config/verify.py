"""What only this machine can say of a configuration: whether its files can be used and its policies can be made."""

from collections.abc import Iterator

from foregate.app.config.addresses import parse_listener
from foregate.app.config.compile import compile_snapshot
from foregate.app.config.contradictions import places
from foregate.app.config.load import PROBLEMS_MAX, Loaded
from foregate.app.config.problems import ConfigRefused, Problem
from foregate.app.config.trial import impossible
from foregate.app.extensions import MissingExtension, maker
from foregate.http1.tls import BadCertificate, Certificate, ServerCertificates, client_context
from foregate.wire.snapshot import Snapshot


def verified(loaded: Loaded, pepper: bytes) -> Snapshot:
    """The snapshot of a configuration that works here. Raises ConfigRefused with every problem."""
    problems = [*_listeners(loaded), *_upstreams(loaded), *_extensions(loaded)]
    problems += [loaded.problem(path, sentence) for path, sentence in impossible(loaded.config)]
    if problems:
        raise ConfigRefused(problems[:PROBLEMS_MAX])
    return compile_snapshot(loaded.config, pepper, loaded.folder)


def _listeners(loaded: Loaded) -> Iterator[Problem]:
    folder = loaded.folder
    for index, listener in enumerate(loaded.config.listen.gateways):
        socket = parse_listener(listener.address).socket
        if socket and not (folder / socket).parent.is_dir():
            yield loaded.problem(("listen", "gateway", index), f"there is no folder for the socket {socket}")
        for number, pair in enumerate(listener.tls):
            try:
                ServerCertificates([Certificate(str(folder / pair.certificate), str(folder / pair.key))])
            except BadCertificate as error:
                yield loaded.problem(("listen", "gateway", index, "tls", number), str(error))
        if listener.client_ca_file is not None:
            try:
                client_context(ca_file=str(folder / listener.client_ca_file))
            except BadCertificate as error:
                yield loaded.problem(("listen", "gateway", index, "client_ca_file"), str(error))


def _upstreams(loaded: Loaded) -> Iterator[Problem]:
    folder = loaded.folder
    for name, service in loaded.config.services.items():
        tls = service.tls
        if tls.ca_file is None and tls.certificate is None:
            continue
        own = None
        if tls.certificate is not None:
            own = Certificate(str(folder / tls.certificate), str(folder / (tls.key or "")))
        try:
            client_context(ca_file=str(folder / tls.ca_file) if tls.ca_file else "", certificate=own)
        except BadCertificate as error:
            yield loaded.problem(("services", name, "tls"), str(error))


def _extensions(loaded: Loaded) -> Iterator[Problem]:
    for path, policies in places(loaded.config):
        for index, extension in enumerate(policies.extensions):
            try:
                maker(extension.name)(extension.settings)
            except MissingExtension as error:
                yield loaded.problem((*path, "extensions", index), str(error))
