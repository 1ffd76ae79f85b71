"""The check for secrets and passwords."""

from collections.abc import Iterator
from dataclasses import replace

from proctor.policies._reading import Finding, Reading, in_small
from proctor.policies.secrets._formed import formed_secrets
from proctor.policies.secrets._named_values import named_values
from proctor.policies.secrets._passwords import spoken_passwords


def secrets(reading: Reading) -> Iterator[Finding]:
    """Where secrets and passwords stand in the original text, without repetitions and overlaps."""
    found: list[Finding] = []
    for view in reading.views:
        text = view.text
        small = in_small(text)
        for each in (*formed_secrets(text), *named_values(text, small), *spoken_passwords(text, small)):
            start, end = view.original(each.start, each.end)
            found.append(replace(each, start=start, end=end))
    found.sort(key=lambda each: (each.start, -each.confidence, -each.end))
    return iter(_apart(found))


def _apart(found: list[Finding]) -> list[Finding]:
    """Findings in order, those that overlap joined: the surer one names both."""
    apart: list[Finding] = []
    for each in found:
        if apart and each.start < apart[-1].end:
            last = apart.pop()
            surer = max(last, each, key=lambda one: (one.confidence, one.end - one.start))
            apart.append(replace(surer, start=last.start, end=max(last.end, each.end)))
        else:
            apart.append(each)
    return apart
