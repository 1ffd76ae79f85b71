"""What the room costs whoever doesn't use Temporal."""

import subprocess
import sys


def test_temporal_is_not_imported_with_the_room() -> None:
    code = "import sys, proctor.engine; print('temporalio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
