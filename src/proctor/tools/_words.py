"""The words of which a name is made, however they are joined."""

import re
import unicodedata

from proctor.tools._hidden import without_hidden

_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters: of `runCommand`, `run-command` and `RUN.command` the same."""
    plain = unicodedata.normalize("NFKC", without_hidden(name)[0])
    return [word.casefold() for word in _JOINT.split(plain) if word]
