"""Finished pictures as rows of `images`."""

import json
from typing import Any

from hotfolder.catalog.store import Catalog

COLUMNS = (
    "id pixel_sha256 width height format kind prompt negative_prompt caption tags seed seed_locked model profile loras "
    "steps guidance sampler rating parent_path prompt_tokens peak_vram_mb energy_wh created_at"
).split()  # fmt: skip


def put_image(catalog: Catalog, facts: dict[str, Any], output: dict[str, Any], now: str) -> None:
    """Write the row of one published picture within the caller's transaction; repeatable.

    `facts` are catalog columns as the worker staged them; `output` says where the file lies, what its bytes are, and
    the hot folder it came from.
    """
    values = {name: facts.get(name) for name in COLUMNS}
    values["created_at"] = values["created_at"] or now
    values["seed"] = None if values["seed"] is None else str(values["seed"])
    values["tags"] = ", ".join(facts["tags"]) if facts.get("tags") else None
    values["loras"] = json.dumps(facts["loras"]) if facts.get("loras") else None
    values |= {"path": output["path"], "sha256": output["sha256"], "job_id": output.get("job_id")}
    values["hot_folder"] = output.get("hot_folder")
    names = ", ".join(values)
    catalog.rows(
        f"insert into images({names}) values({', '.join('?' for _ in values)})",
        *values.values(),
    )
    for found in facts.get("detections", ()):
        catalog.rows(
            "insert into detections(job_id, image_path, label, score, x0, y0, x1, y1) values(?, ?, ?, ?, ?, ?, ?, ?)",
            output.get("job_id"), output["path"], found["label"], found["score"], *found["box"],
        )  # fmt: skip
