"""What a provider is told of who asks: our own key, and nothing that the client has sent."""

from foregate.wire.ai import Provider

_JSON = b"content-type: application/json"


def lines_for(provider: Provider) -> tuple[bytes, ...]:
    """The header lines of every request to this provider, without CRLF. One tuple per provider: it is never rebuilt."""
    key = (provider.key or "").encode("latin-1", "replace")
    if provider.provider == "anthropic":
        lines = [_JSON, b"anthropic-version: " + provider.anthropic_version.encode()]
        return (*lines, b"x-api-key: " + key) if key else tuple(lines)
    lines = [_JSON]
    if key:
        lines.append(b"authorization: Bearer " + key)
    if provider.organization:
        lines.append(b"openai-organization: " + provider.organization.encode())
    return tuple(lines)
