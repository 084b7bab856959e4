"""Registries: a name means one thing, and a wrong one is answered with the nearest right one."""

import sys
from pathlib import Path

import pytest

from hotfolder.registry import Registry, did_you_mean


@pytest.fixture
def tools() -> Registry[int]:
    tools: Registry[int] = Registry("tool")
    tools.add("hammer", 1)
    tools.add("anvil", 2)
    return tools


def test_what_was_added_is_found_in_name_order(tools: Registry[int]) -> None:
    assert tools["hammer"] == 1
    assert "hammer" in tools and "saw" not in tools
    assert list(tools) == ["anvil", "hammer"]


def test_a_taken_name_is_refused_and_keeps_its_meaning(tools: Registry[int]) -> None:
    with pytest.raises(ValueError, match="tool 'hammer' is already registered"):
        tools.add("hammer", 3)
    assert tools["hammer"] == 1


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known(tools: Registry[int]) -> None:
    with pytest.raises(LookupError) as error:
        tools["hamer"]
    assert str(error.value) == "no tool `hamer`; did you mean `hammer`? (known: anvil, hammer)"
    with pytest.raises(LookupError, match=r"^no tool `zzz` \(known"):
        tools["zzz"]


def test_hints_are_given_only_where_something_is_near() -> None:
    assert did_you_mean("promt", ["prompt", "seed"]) == "; did you mean `prompt`?"
    assert did_you_mean("xyz", ["prompt", "seed"]) == ""


def test_modules_are_found_by_lying_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "found_tools"
    package.mkdir()
    (package / "__init__.py").write_text("order = []")
    for name in ("second", "first", "base", "_private"):
        (package / f"{name}.py").write_text(f"import found_tools; found_tools.order.append({name!r})")
    monkeypatch.syspath_prepend(tmp_path)
    import found_tools  # type: ignore[import-not-found]

    Registry[int]("tool").discover(found_tools)
    assert found_tools.order == ["first", "second"]
    for name in [name for name in sys.modules if name.startswith("found_tools")]:
        del sys.modules[name]
