"""What the loop says to a model and what it hears back, in no provider's words.

An adapter translates both ways. An item that a provider made may carry `native`: the provider's own form of it, kept
verbatim, because reasoning and signatures must be replayed exactly as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class Native(BaseModel, frozen=True):
    """A provider's own form of an item. Replay it only where `protocol` and `provider` are the same; else leave it out.

    protocol: `responses`, `chat` or `messages`; provider: the profile's name, as reasoning of one is no use to another.
    """

    protocol: str
    provider: str
    item: Mapping[str, JsonValue]


class Text(BaseModel, frozen=True):
    """A piece of text inside a message or a result."""

    kind: Literal["text"] = "text"
    text: str


class Image(BaseModel, frozen=True):
    """A picture: `data` is base64. `alt` stands in for it where a model cannot see."""

    kind: Literal["image"] = "image"
    media_type: str
    data: str
    alt: str = ""


Part = Annotated[Text | Image, Field(discriminator="kind")]


class UserMessage(BaseModel, frozen=True):
    """What the user said."""

    kind: Literal["user"] = "user"
    parts: tuple[Part, ...]


class Notice(BaseModel, frozen=True):
    """What nbagent says to the model: settings, the notebook's outline, news.

    A developer message where the protocol has one in mid-history, else a user message.
    """

    kind: Literal["notice"] = "notice"
    text: str


class AssistantMessage(BaseModel, frozen=True):
    """Text that the model wrote for the user."""

    kind: Literal["assistant"] = "assistant"
    text: str
    native: Native | None = None


class Reasoning(BaseModel, frozen=True):
    """What the model showed of its thinking; `text` may be empty when only `native` can be replayed."""

    kind: Literal["reasoning"] = "reasoning"
    text: str = ""
    native: Native | None = None


class ToolCall(BaseModel, frozen=True):
    """The model asks for a tool. `arguments` is JSON text as it came.

    invalid: why the arguments cannot be used (cut off, not JSON, not an object), or None. Such a call is never run;
    the model is told the reason.
    """

    kind: Literal["call"] = "call"
    id: str
    name: str
    arguments: str
    invalid: str | None = None
    native: Native | None = None


class ToolResult(BaseModel, frozen=True):
    """The one answer to a call."""

    kind: Literal["result"] = "result"
    call_id: str
    parts: tuple[Part, ...]
    is_error: bool = False


Item = Annotated[
    UserMessage | Notice | AssistantMessage | Reasoning | ToolCall | ToolResult, Field(discriminator="kind")
]


class ToolSpec(BaseModel, frozen=True):
    """A tool as the model is told of it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


class ModelRequest(BaseModel, frozen=True):
    """One question to a model. `history` is valid for every provider: each call is followed by its one result.

    stable: how many items of `history` are the same in each later request (a place for a cache breakpoint).
    output_schema: the final answer must be JSON that fits this schema, where the provider can promise it.
    """

    instructions: str
    history: tuple[Item, ...]
    tools: tuple[ToolSpec, ...] = ()
    effort: Effort | None = None
    cache_key: str = ""
    stable: int = 0
    max_output_tokens: int | None = None
    output_schema: Mapping[str, JsonValue] | None = None


class Usage(BaseModel, frozen=True):
    """Tokens as the provider counted them. `input` includes `cached`, `output` includes `reasoning`."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
        )


Stop = Literal["done", "tools", "length", "refused", "filtered", "paused"]
"""Why an answer ended: `length` cut off by the output limit; `paused` means ask again with the answer in history."""


class ModelAnswer(BaseModel, frozen=True):
    """A whole answer, after its stream ended well. `model` is the name that the provider says answered."""

    items: tuple[AssistantMessage | Reasoning | ToolCall, ...]
    stop: Stop
    usage: Usage = Usage()
    model: str = ""


class ModelFacts(BaseModel, frozen=True):
    """What is known of a model before asking it; `window` is in tokens, None when nobody says."""

    provider: str
    name: str
    window: int | None = None
    images: bool = True


class TextArrived(BaseModel, frozen=True):
    """More of the answer's text."""

    kind: Literal["text arrived"] = "text arrived"
    text: str


class ReasoningArrived(BaseModel, frozen=True):
    """More of the model's thinking."""

    kind: Literal["reasoning arrived"] = "reasoning arrived"
    text: str


class CallArriving(BaseModel, frozen=True):
    """The model has begun to write a call of this tool; it is not run before the answer is whole."""

    kind: Literal["call arriving"] = "call arriving"
    name: str


class AskedAgain(BaseModel, frozen=True):
    """The request is made again after a fault; what arrived of the failed answer is void. `why` is a sentence."""

    kind: Literal["asked again"] = "asked again"
    why: str


ModelProgress = TextArrived | ReasoningArrived | CallArriving | AskedAgain
