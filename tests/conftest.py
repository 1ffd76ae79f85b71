"""What every test may use."""

from pathlib import Path

import pytest

from proctor import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{tmp_path}/proctor.db", "linger": 0},
            "models": {"small": {"model": "gpt-5.4-mini", "price": "free"}},
        }
    )
