"""detect-secrets as it comes; run by its own interpreter."""

import json
import sys
import tempfile
import time
from importlib.metadata import version

from detect_secrets.core.secrets_collection import SecretsCollection  # type: ignore[import-not-found]
from detect_secrets.settings import default_settings  # type: ignore[import-not-found]


def main() -> None:
    """Reads a list of texts, and prints whether each holds a secret with the microseconds that it took."""
    texts = json.load(sys.stdin)
    found, micros = [], []
    with default_settings():
        for text in texts:
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
                file.write(text)
                file.flush()
                began = time.thread_time_ns()
                secrets = SecretsCollection()
                secrets.scan_file(file.name)
                micros.append((time.thread_time_ns() - began) / 1_000)
            found.append(["secret"] if secrets.files else [])
    how = "scan_file of a file for each text, as its command does, with default_settings"
    json.dump(
        {"version": version("detect-secrets"), "how": how, "found": found, "micros": micros}, sys.stdout
    )


if __name__ == "__main__":
    main()
