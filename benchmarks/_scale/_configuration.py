"""The configuration of measured processes, as a file that all of them read."""

from pathlib import Path

from benchmarks._overhead._workload import MODEL
from benchmarks._scale._teams import PLACE


def write_configuration(
    folder: Path, *, endpoint: str, database: str, concurrency: int, temporal: str = ""
) -> Path:
    """A new `proctor.toml`; `temporal` is its address, where it distributes the runs."""
    engine = f'kind = "temporal"\naddress = "{temporal}"' if temporal else 'kind = "embedded"'
    file = folder / f"proctor-{concurrency}.toml"
    file.write_text(
        f"""\
app = "{PLACE}"

[database]
url = "{database}"

[engine]
{engine}
concurrency = {concurrency}

[models.small]
model = "{MODEL}"
base_url = "{endpoint}"
api_key = "none"
price = {{ input = "0.25", output = "2" }}
"""
    )
    return file
