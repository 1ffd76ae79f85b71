"""Names of people, by the models of Presidio, where its extra is installed."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from proctor.core import Language, MissingSetting
from proctor.policies._reading import Finding, Reading

_LONGEST = 20_000
"""Characters that the models read at once."""
_CHINESE = range(0x4E00, 0xA000)


class _Found(Protocol):
    start: int
    end: int
    score: float


class _Analyzer(Protocol):
    """What is used of Presidio's engine: it may not be installed, so its own types can't be."""

    def analyze(self, text: str, language: str, entities: list[str]) -> Iterable[_Found]: ...


class Names:
    """A check for names of people. Its models are loaded when the first text is read."""

    def __init__(self, models: Mapping[Language, str]) -> None:
        self._models = dict(models)
        """Installed spaCy models by language: `{"en": "en_core_web_sm"}`."""
        for needed in ("presidio_analyzer", *models.values()):
            if find_spec(needed) is None:
                raise MissingSetting(
                    f"Names of people are to be found, and {needed} isn't installed.",
                    hint="Install `proctor-runtime[names]` and the models, or take out `names`.",
                )

    def __call__(self, reading: Reading) -> Iterable[Finding]:
        """Where names stand in the original text."""
        text = reading.plain.text
        chinese = "zh" in self._models and any(ord(each) in _CHINESE for each in text)
        language: Language = "zh" if chinese else "en"
        if language not in self._models:
            return
        for first in range(0, len(text), _LONGEST):
            part = text[first : first + _LONGEST]
            for found in self._engine.analyze(text=part, language=language, entities=["PERSON"]):
                start, end = reading.plain.original(first + found.start, first + found.end)
                yield Finding(kind="person", start=start, end=end, confidence=float(found.score))

    @cached_property
    def _engine(self) -> _Analyzer:
        presidio = import_module("presidio_analyzer")
        engines = import_module("presidio_analyzer.nlp_engine")
        models = [{"lang_code": language, "model_name": name} for language, name in self._models.items()]
        provider = engines.NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
        made = presidio.AnalyzerEngine(
            nlp_engine=provider.create_engine(), supported_languages=list(self._models)
        )
        return cast("_Analyzer", made)
