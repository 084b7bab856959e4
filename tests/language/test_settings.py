"""hotfolder.yaml: the template is the defaults, and mistakes are named."""

from pathlib import Path

import pytest

from hotfolder import settings
from hotfolder.errors import ConfigError
from hotfolder.settings import Settings


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "hotfolder.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_no_file_and_an_empty_one_and_the_template_are_the_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "hotfolder.yaml") == Settings()
    assert settings.load(written(tmp_path, "")) == Settings()
    assert settings.load(written(tmp_path, settings.template())) == Settings()


def test_the_template_with_every_key_switched_on_is_the_defaults(tmp_path: Path) -> None:
    text = "\n".join(line.removeprefix("#") if line.startswith("#") and line[1] != " " else line
                     for line in settings.template().splitlines())  # fmt: skip
    assert settings.load(written(tmp_path, text)) == Settings()
    assert all(f"\n#{key}:" in settings.template() for key in Settings.model_fields)


def test_settings_are_read(tmp_path: Path) -> None:
    loaded = settings.load(written(tmp_path, "inbox: /mnt/nas/in\nprofile: 2024\nsettle_s: 3\nrescan_s:\n"))
    assert loaded == Settings(inbox="/mnt/nas/in", profile="2024", settle_s=3.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("setle_s: 1", "hotfolder.yaml, line 1: unknown key `setle_s`; did you mean `settle_s`?"),
        ("profile: fast\nrescan_s: often", "line 2: `rescan_s` must be a number from 0.2 to 3600, not `often`"),
        ("overtake_bound: 1.5", "`overtake_bound` must be a whole number"),
        ("max_megapixels: 0", "not `0`"),
        ("inbox: [a]", "`inbox` must be text, not a list"),
        ("profile: a\nprofile: b", "`profile` stands twice, in lines 1 and 2"),
        ("profile: a\n---\nprofile: b", "line 3: settings are one mapping"),
        ("fast", "`key: value` lines"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_mistakes_are_configuration_errors(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.load(written(tmp_path, text))
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "hotfolder.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        settings.load(tmp_path / "hotfolder.yaml")
