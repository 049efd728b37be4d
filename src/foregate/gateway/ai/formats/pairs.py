"""Which formats there are, and which pairs of them can be translated."""

from __future__ import annotations

from foregate.gateway.ai.formats.anthropic_messages import AnthropicMessages
from foregate.gateway.ai.formats.anthropic_to_openai_chat import AnthropicToOpenAIChat
from foregate.gateway.ai.formats.format import Format, Name, Translation
from foregate.gateway.ai.formats.openai_chat import OpenAIChat
from foregate.gateway.ai.formats.openai_chat_to_anthropic import OpenAIChatToAnthropic
from foregate.gateway.ai.formats.openai_completions import OpenAICompletions
from foregate.gateway.ai.formats.openai_completions_to_chat import OpenAICompletionsToChat
from foregate.gateway.ai.formats.openai_embeddings import OpenAIEmbeddings
from foregate.gateway.ai.formats.openai_responses import OpenAIResponses
from foregate.gateway.ai.formats.openai_responses_to_chat import OpenAIResponsesToChat
from foregate.gateway.ai.formats.same import Same
from foregate.gateway.ai.formats.through import Through

_CHAT, _TEXT, _RESPONSES, _MESSAGES = OpenAIChat(), OpenAICompletions(), OpenAIResponses(), AnthropicMessages()
_ALL: tuple[Format, ...] = (_CHAT, _TEXT, OpenAIEmbeddings(), _RESPONSES, _MESSAGES)
FORMATS: dict[Name, Format] = {spoken.name: spoken for spoken in _ALL}
FORMAT_OF_PATH: dict[bytes, Format] = {spoken.path: spoken for spoken in _ALL}
_CHAT_TO_MESSAGES = OpenAIChatToAnthropic(_CHAT, _MESSAGES)
_TEXT_TO_CHAT = OpenAICompletionsToChat(_TEXT, _CHAT)
_RESPONSES_TO_CHAT = OpenAIResponsesToChat(_RESPONSES, _CHAT)
_WAYS: tuple[Translation, ...] = (
    *map(Same, _ALL),
    _CHAT_TO_MESSAGES,
    AnthropicToOpenAIChat(_MESSAGES, _CHAT),
    _RESPONSES_TO_CHAT,
    _TEXT_TO_CHAT,
    Through(_TEXT_TO_CHAT, _CHAT_TO_MESSAGES),
    Through(_RESPONSES_TO_CHAT, _CHAT_TO_MESSAGES),
)
_TRANSLATIONS: dict[tuple[Name, Name], Translation] = {(way.client.name, way.provider.name): way for way in _WAYS}


def translation(client: Format, provider: Format) -> Translation | None:
    """From a client's format to a provider's; None where there is no way."""
    return _TRANSLATIONS.get((client.name, provider.name))
