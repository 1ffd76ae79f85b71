"""Where the texts of a run come from: each is known by its digest, and what isn't counts as the worst.

A team passes texts on as it likes, and AutoGen carries no label along. But every text that a model is shown
was once a task, an instruction, an answer or a tool's result, and all of those pass through the run. A text
that is none of them, because an agent has put several together, is taken to hold the worst of the run's.
"""

from collections.abc import Iterable

from proctor.core import TRUSTED, Label, digest_of, join


class Texts:
    """The texts that a run has seen, with their labels."""

    def __init__(self) -> None:
        self._labels: dict[str, Label] = {}
        self._orders: list[str] = []
        """What was said by those who may give orders."""
        self._untrusted: list[tuple[str, Label]] = []
        self.worst = TRUSTED
        """Of all texts so far."""

    def trust(self, text: str) -> None:
        """Takes a text as said by who may give orders: the task, an instruction, a person's answer."""
        self._labels[digest_of(text)] = TRUSTED
        self._orders.append(text)

    def learn(self, text: str, label: Label) -> None:
        """Takes note of where a text comes from."""
        key = digest_of(text)
        known = self._labels.get(key)
        self._labels[key] = label if known is None else join((known, label))
        self.worst = join((self.worst, label))
        if not label.is_trusted:
            self._untrusted.append((text, label))

    def label_of(self, text: str) -> Label:
        """Of one text; of one that the run hasn't seen the worst of all that it has."""
        key = digest_of(text)
        known = self._labels.get(key)
        if known is None:
            # Seen before anything untrusted was, it can't hold any of it, and is known from now on.
            known = self._labels[key] = self.worst
        return known

    def label_of_all(self, texts: Iterable[str]) -> Label:
        """Of what is made of all these texts."""
        return join(map(self.label_of, texts))

    def origins_of(self, value: str, context: Label) -> tuple[str, ...]:
        """The untrusted sources that a value may come from; none where a trusted text holds it.

        A value that stands in no text may come from any that its context rests on.
        """
        if context.is_trusted or any(value in text for text in self._orders):
            return ()
        found = join(label for text, label in self._untrusted if value in text)
        return found.sources or context.sources
