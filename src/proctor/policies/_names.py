"""Names of people, by the models of Presidio, where its extra is installed."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from proctor.core import InvalidConfiguration
from proctor.policies._reading import Finding, Reading

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

_LONGEST = 20_000
"""Characters that the models read at once."""
_CHINESE = range(0x4E00, 0xA000)


class Names:
    """A check for names of people. Its models are loaded when the first text is read."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = dict(models)
        """Installed spaCy models by language: `{"en": "en_core_web_sm"}`."""

    def __call__(self, reading: Reading) -> Iterable[Finding]:
        """Where names stand in the original text."""
        text = reading.plain.text
        language = "zh" if "zh" in self._models and any(ord(each) in _CHINESE for each in text) else "en"
        if language not in self._models:
            return
        for first in range(0, len(text), _LONGEST):
            part = text[first : first + _LONGEST]
            for found in self._engine.analyze(text=part, language=language, entities=["PERSON"]):
                start, end = reading.plain.original(first + found.start, first + found.end)
                yield Finding(kind="person", start=start, end=end, confidence=float(found.score))

    @cached_property
    def _engine(self) -> "AnalyzerEngine":
        try:
            from presidio_analyzer import AnalyzerEngine
            from presidio_analyzer.nlp_engine import NlpEngineProvider
        except ImportError as error:
            raise InvalidConfiguration(
                "Names of people are to be found, and what finds them isn't installed.",
                hint="Install `proctor-runtime[names]`, or turn `names` off in `[policies]`.",
            ) from error
        models = [{"lang_code": language, "model_name": name} for language, name in self._models.items()]
        provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
        return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=list(self._models))
