"""`hotfolder demo`: one job of each kind on the miniatures, in a scratch workspace; and the example jobs."""

import shutil
import tempfile
from pathlib import Path

import click

from hotfolder import running
from hotfolder import workspace as places
from hotfolder.catalog import store
from hotfolder.miniatures import world
from hotfolder.workspace import Workspace

EXAMPLES = Path(__file__).parents[1] / "jobs"
TEXTS = {
    "generate/evening.txt": """\
a large red circle on a blue background
a small green star at the left on a white background
a {yellow|pink} heart on a purple background
a red heart left of a yellow house on a black background
""",
    "generate/star.yaml": "prompt: a large orange star on a green background\nseed: 7\nvariants: 2\ntags: [demo]\n",
    "generate/drawn.yaml": "prompt: a large blue heart on a yellow background\nloras: [outlines]\nseed: 7\n",
    "upscale/painted.png.yaml": "factor: 3\n",
}
PICTURES = {
    "upscale/painted.png": world.Scene("yellow", (world.Thing("purple", "tree"),)),
    "caption/garden.png": world.Scene("white", (world.Thing("red", "house"), world.Thing("green", "tree")), "left of"),
}
"""What is dropped: paths below inbox/."""


def copy_examples(workspace: Workspace) -> None:
    """Put the ready-made job files into jobs/, leaving those that are there."""
    for path in sorted(EXAMPLES.glob("*.yaml")):
        target = workspace.root / "jobs" / path.name
        if not target.exists():
            shutil.copyfile(path, target)


def run(folder: Path | None) -> int:
    """Make the demo in `folder`, default a new temporary one; returns the exit code."""
    root = folder or Path(tempfile.mkdtemp(prefix="hotfolder-demo-"))
    workspace = places.init(root)
    copy_examples(workspace)
    workspace = places.open_workspace(root, profile="miniature")
    for path, text in TEXTS.items():
        (workspace.inbox / path).write_text(text, encoding="utf-8")
    for path, scene in PICTURES.items():
        world.paint(scene, 160).image.save(workspace.inbox / path)
    click.echo(f"A scratch workspace: {workspace.root}\nDropped into its inbox/: {', '.join([*TEXTS, *PICTURES])}\n")
    code = running.run(workspace, once=True)
    with store.reading(workspace.catalog) as catalog:
        made = catalog.rows("select kind, path, width, height, prompt, caption from images order by rowid")
    click.echo(f"\n{len(made)} pictures, each with everything that made it embedded, drawn by tiny shipped models:")
    for row in made:
        click.echo(
            f"  {workspace.absolute(row['path'])}  {row['width']}x{row['height']}  "
            f"{row['prompt'] or row['caption'] or row['kind']}"
        )
    click.echo(f"\nLook at them there, or: hotfolder --workspace {workspace.root} browse")
    return code
