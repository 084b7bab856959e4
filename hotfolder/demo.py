"""`hotfolder demo`: one job of each kind on the miniatures, in a scratch workspace; and the example jobs."""

import shutil
import tempfile
from pathlib import Path

import click
from PIL.PngImagePlugin import PngInfo

from hotfolder import running
from hotfolder import workspace as places
from hotfolder.catalog import store
from hotfolder.miniatures import world
from hotfolder.workspace import Workspace

EXAMPLES = Path(__file__).parents[1] / "jobs"
TEXTS = {
    "generate/evening.txt": """\
a large red circle on a blue background
a {yellow|pink} heart on a purple background
a red heart left of a yellow house on a black background
""",
    "generate/star.yaml": "prompt: a large orange star on a green background\nseed: 7\nvariants: 2\ntags: [demo]\n",
    "generate/drawn.yaml": "prompt: a large blue heart on a yellow background\nloras: [outlines]\nseed: 7\n",
    "generate/table.yaml": "prompt: a large red {circle|square} on a white background\n"
    "matrix: {steps: [1, 4], seed: [1, 2]}\n",
    "edit/circle.prompt.txt": "make the circle green\n",
    "inpaint/square.png.yaml": "mask_prompt: the square\nmask_grow: 12\nprompt: a yellow star\n",
    "outpaint/tree.png.yaml": "aspect: 16:9\n",
    "upscale/painted.png.yaml": "factor: 3\n",
    "mask/both.png.yaml": "prompt: the tree\n",
    "caption/garden.png.yaml": "objects: true\n",
    "cutout/heart.png.yaml": "background: white\n",
    "expand/idea.yaml": "prompt: a red house on a white background\n",
    "pipeline/chain.txt": """\
[generate] a large red circle on a blue background
[mask] the circle
[inpaint] a white house
""",
    "vary/theirs.png.yaml": "variants: 2\nvariation: 0.3\n",
}
HOUSE, TREE = world.Thing("red", "house"), world.Thing("green", "tree")
PICTURES = {
    "edit/circle.png": world.Scene("white", (world.Thing("red", "circle", "large"),)),
    "inpaint/square.png": world.Scene("blue", (world.Thing("red", "square", place="left"),)),
    "outpaint/tree.png": world.Scene("orange", (world.Thing("purple", "tree"),)),
    "upscale/painted.png": world.Scene("yellow", (world.Thing("purple", "tree"),)),
    "mask/both.png": world.Scene("yellow", (HOUSE, TREE), "left of"),
    "detect/both.png": world.Scene("white", (HOUSE, TREE), "left of"),
    "cutout/heart.png": world.Scene("green", (world.Thing("pink", "heart", "large"),)),
    "caption/garden.png": world.Scene("white", (HOUSE, TREE), "left of"),
    "rerun/theirs.png": world.Scene("blue", (world.Thing("red", "circle", "large"),)),
    "vary/theirs.png": world.Scene("blue", (world.Thing("red", "circle", "large"),)),
}
"""What is dropped: paths below inbox/."""
THEIRS = (
    "a large red circle on a blue background\n"
    "Steps: 4, Sampler: Euler, CFG scale: 1, Seed: 42, Size: 128x128, Version: v1.10.1"
)
"""What a web UI writes into its pictures; rerun and vary read it."""


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
        says = PngInfo()
        if path.startswith(("rerun/", "vary/")):
            says.add_text("parameters", THEIRS)
        world.paint(scene, 160).image.save(workspace.inbox / path, pnginfo=says)
    click.echo(f"A scratch workspace: {workspace.root}\nDropped into its inbox/: {', '.join([*TEXTS, *PICTURES])}\n")
    code = running.run(workspace, once=True)
    with store.reading(workspace.catalog) as catalog:
        made = catalog.rows("select kind, path, width, height, prompt, caption from images order by rowid")
        texts = catalog.rows(
            "select path from outputs where path like '%.txt' and job_id not in (select job_id from images)"
        )
    click.echo(f"\n{len(made)} pictures, each with everything that made it embedded, drawn by tiny shipped models:")
    for row in made:
        click.echo(
            f"  {workspace.absolute(row['path'])}  {row['width']}x{row['height']}  "
            f"{row['prompt'] or row['caption'] or row['kind']}"
        )
    for file in (workspace.absolute(row["path"]) for row in texts):
        click.echo(f"  {file}  {file.read_text(encoding='utf-8').strip()}")
    click.echo(f"\nLook at them there, or: hotfolder --workspace {workspace.root} browse")
    return code
