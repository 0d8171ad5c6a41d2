import tempfile
from pathlib import Path

import pytest
from adapter_files import write_version


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Remembered hashes and downloads of the tests stay out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def open_version():
    """A version where every user may look: pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield write_version(Path(folder) / "v1.0_demo")
