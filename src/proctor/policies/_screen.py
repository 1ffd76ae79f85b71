"""Plain questions about a text that no configuration answers."""

from proctor.core import InvalidInput, PolicySettings
from proctor.policies._masking import REPLACED
from proctor.policies._policy import Policy, taken_out

_SENSITIVE = Policy(PolicySettings.model_validate({"output": {"secret": "redact"}}))


def read_text(data: bytes) -> str:
    """The text that UTF-8 bytes hold, without a byte order mark.

    Raises:
        InvalidInput: the bytes are no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The text is not UTF-8: byte {error.start} can't be read.",
            hint="Send the text encoded as UTF-8.",
        ) from None


def redact(text: str) -> str:
    """A text without payment data, ids and secrets, whatever the configuration allows."""
    return taken_out(text, _SENSITIVE.explain(text, "output", kinds=frozenset(REPLACED)))
