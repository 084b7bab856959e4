"""The same surroundings for every test: no network, one thread, nothing of the user's own settings."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a card in the machine that tests must not change which models serve
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"  # a proxy that fetches packages here knows no server of a test
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and torch's threads wait for each other
for name in [name for name in os.environ if name.startswith("HOTFOLDER_") or name in ("HF_HUB_CACHE", "HF_TOKEN")]:
    del os.environ[name]
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="hotfolder-tests-")  # what is in the user's own is not for tests
atexit.register(shutil.rmtree, os.environ["HF_HOME"], ignore_errors=True)

# The same examples on every machine, however slow; `--hypothesis-profile=search` looks for others.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("search", **PATIENT)
settings.register_profile("same", derandomize=True, **PATIENT)
settings.load_profile("same")
