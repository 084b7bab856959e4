"""What reading a job costs at the service's start."""

import subprocess
import sys

CODE = """
import sys
from hotfolder.intake import language, prompts
from hotfolder import settings, yamlfile
(document,) = yamlfile.parse(b"prompt: a fox", "x.yaml")
prompts.plan(language.resolve([document], "generate"), None, __import__("random").Random(1))
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_dynamicprompts_and_torch_are_not_imported_before_they_are_needed() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert not {"dynamicprompts", "pyparsing", "torch", "numpy", "jsonschema"} & set(done.stdout.split())
