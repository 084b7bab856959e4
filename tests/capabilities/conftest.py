"""One service with FLUX weights, small ones, for all tests of what capabilities make: torch is loaded once."""

from collections.abc import Iterator

import pytest

from tests.service import tiny
from tests.service.living import Living, living

PRESET = "size: 64x48\n"


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    for one in living(tmp_path_factory.mktemp("studio") / "w"):
        tiny.put_weights(one.workspace.models)
        (one.workspace.inbox / "generate" / "folder.yaml").write_text(PRESET)
        (one.workspace.wildcards / "animal.txt").write_text("cat\ndog\nowl\nfox\nbear\n")
        yield one.start()
        assert one.end() == 0
        assert "Traceback" not in one.told()
