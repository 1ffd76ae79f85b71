"""LLM Guard's regular expressions, without its models; run by its own interpreter.

Its package asks for gigabytes. So it is installed alone, and read are its two lists: the expressions of its
`Anonymize` scanner, tried one by one as its recogniser for patterns does, and the plugins of its `Secrets`
scanner, run by the detect-secrets that it asks for, on a file for each text as the scanner does.
"""

import json
import re
import sys
import tempfile
import time
from importlib.machinery import SourceFileLoader
from importlib.metadata import distribution, version
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    """Reads a list of texts, and prints the types found in each with the microseconds that it took."""
    texts = json.load(sys.stdin)
    patterns = _patterns()
    find_secrets = _secrets()
    found, micros = [], []
    for text in texts:
        began = time.thread_time_ns()
        types = {name for name, expression in patterns if expression.search(text)}
        if find_secrets(text):
            types.add("secret")
        micros.append((time.thread_time_ns() - began) / 1_000)
        found.append(sorted(types))
    how = "expressions of Anonymize, plugins of Secrets; no model, no checksum of a recogniser"
    json.dump({"version": version("llm-guard"), "how": how, "found": found, "micros": micros}, sys.stdout)


def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    module = _load("input_scanners/anonymize_helpers/regex_patterns.py")
    return [
        (each["name"].upper(), re.compile(expression))
        for each in module.DEFAULT_REGEX_PATTERNS
        for expression in each.get("expressions", ())
    ]


def _secrets() -> Any:
    from detect_secrets.core.secrets_collection import SecretsCollection  # type: ignore[import-not-found]
    from detect_secrets.settings import transient_settings  # type: ignore[import-not-found]

    config = _load("input_scanners/secrets.py")._default_detect_secrets_config  # noqa: SLF001 - there is no other

    def find(text: str) -> bool:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file, transient_settings(config):
            file.write(text)
            file.flush()
            secrets = SecretsCollection()
            secrets.scan_file(file.name)
            return bool(secrets.files)

    return find


def _load(name: str) -> ModuleType:
    """A module of the package without the package around it, which would import its models."""
    folder = Path(str(distribution("llm-guard").locate_file("llm_guard")))
    for package in (
        "llm_guard",
        "llm_guard.input_scanners",
        "presidio_anonymizer",
        "presidio_anonymizer.core",
    ):
        _stand_in(package)
    _stand_in("llm_guard.util").get_logger = lambda *_: _Silent()
    _stand_in("llm_guard.input_scanners.base").Scanner = object
    _stand_in("presidio_anonymizer.core.text_replace_builder").TextReplaceBuilder = object
    loader = SourceFileLoader(f"llm_guard.input_scanners.{Path(name).stem}", str(folder / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def _stand_in(name: str) -> Any:
    return sys.modules.setdefault(name, ModuleType(name))


class _Silent:
    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


if __name__ == "__main__":
    main()
