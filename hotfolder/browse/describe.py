"""What Datasette says about the catalog: titles, descriptions, facets, order, search. Data, no behaviour."""

from typing import Any

from hotfolder.browse.queries import QUERIES

_TABLES: dict[str, dict[str, Any]] = {
    "images": {
        "title": "Images",
        "description": "Every finished picture. The search looks in prompts, captions and tags.",
        "sort_desc": "created_at",
        "facets": ["kind", "model", "rating", "review"],
        "fts_table": "images_fts",
        "fts_pk": "rowid",
        "columns": {
            "job_id": "The job that made it",
            "path": "Where it lies; outbox/ is the outbox folder, wherever that is",
            "sha256": "Of the file",
            "pixel_sha256": "Of the pixels alone: the same when only the metadata changed",
            "width": "Pixels",
            "height": "Pixels",
            "kind": "What was done",
            "prompt": "The words it was made from",
            "caption": "What a caption job saw in it",
            "seed": "The number that fixes the noise; text, as it may be larger than SQLite's integers",
            "seed_locked": "1 where you chose the seed",
            "model": "The model that made it; names that begin with miniature are the small demonstration models",
            "profile": "The profile: precision, models and acceleration",
            "loras": "LoRAs and their weights, JSON",
            "rating": "Stars, 0 to 5, as your picture viewer wrote them",
            "review": "keep or reject: the folder you moved it to",
            "parent_path": "The picture it was made from",
            "prompt_tokens": "Length of the prompt as the model counts it",
            "peak_vram_mb": "Most graphics memory in use, MB",
            "energy_wh": "Electricity the graphics card used, watt-hours",
            "created_at": "UTC",
        },
    },
    "jobs": {
        "title": "Jobs",
        "description": "The queue and its history: one row for each piece of work.",
        "label_column": "name",
        "sort_desc": "created_at",
        "facets": ["state", "kind", "hot_folder"],
        "columns": {
            "drop_id": "The dropped files it belongs to",
            "state": "waiting, queued, running, publishing, done, failed or cancelled",
            "priority": "Higher runs first",
            "spec": "The whole job, resolved, JSON",
            "planned": "What it was before names were given, JSON",
            "source_path": "The dropped file",
            "attempts": "How often it was started",
            "strikes": "How often the worker died while it ran; the second strike fails it",
            "run_s": "Seconds of work",
            "load_s": "Seconds spent loading models",
            "wait_reason": "What it waits for",
            "error": "What was wrong and what to do",
        },
    },
    "drops": {
        "title": "Drops",
        "description": "Files that were dropped together.",
        "label_column": "name",
        "sort_desc": "created_at",
        "facets": ["state", "hot_folder"],
        "columns": {"files": "Names and SHA-256, JSON", "hot_folder": "The folder of the inbox they were dropped into"},
    },
    "detections": {
        "title": "Detections",
        "description": "Things found in pictures, with their boxes in pixels.",
        "sort_desc": "id",
        "facets": ["label"],
        "columns": {"score": "How sure the model is, 0 to 1", "x0": "Left", "y0": "Top", "x1": "Right", "y1": "Bottom"},
    },
    "models": {
        "title": "Models",
        "description": "Weights known to this workspace, with their licences.",
        "facets": ["family", "licence"],
        "columns": {"bytes": "Size on disk", "trigger_words": "Words that wake a LoRA"},
    },
    "outputs": {
        "title": "Outputs",
        "description": "Every file a job writes, reserved by name and hash before it appears in outbox.",
        "facets": ["role"],
        "hidden": True,
        "columns": {"name_key": "The name as the strictest disk compares it", "published": "1 once it is in outbox"},
    },
    "sqlite_sequence": {"hidden": True, "columns": {}},
}


def metadata(database: str) -> dict[str, Any]:
    """Return Datasette's metadata, a fresh copy (Datasette merges into what it is given)."""
    return {
        "title": "hotfolder",
        "description": "Your pictures, the jobs that made them, and what waits.",
        "databases": {
            database: {
                "title": "Catalog",
                "description": "Pictures, jobs and saved queries. Nothing here can be changed from the browser.",
                "tables": {name: {**table, "columns": dict(table["columns"])} for name, table in _TABLES.items()},
                "queries": {name: {**query, "hide_sql": True} for name, query in QUERIES.items()},
            }
        },
    }


def menu(database: str) -> list[dict[str, str]]:
    """Return the navigation menu: the two tables people want, then the saved queries."""
    tables = [{"href": f"/{database}/{name}", "label": _TABLES[name]["title"]} for name in ("images", "jobs")]
    return tables + [{"href": f"/{database}/{name}", "label": query["title"]} for name, query in QUERIES.items()]
