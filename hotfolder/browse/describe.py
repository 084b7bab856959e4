"""What Datasette says about the catalog: titles, descriptions, facets, order, search. Data, no behaviour."""

from typing import Any

from markupsafe import Markup

from hotfolder.browse import pages
from hotfolder.browse.queries import queries
from hotfolder.browse.sites import Site

_TIMES = {
    "created_at": "When it was made, UTC",
    "started_at": "When it was last started, UTC",
    "finished_at": "When it ended, UTC",
}
_HOT_FOLDER = "The folder of the inbox that its file was dropped into"
_TABLES: dict[str, dict[str, Any]] = {
    "images": {
        "title": "Images",
        "description": "Every finished picture. The search looks in prompts, captions and tags.",
        "sort_desc": "created_at",
        "size": 50,
        "facets": ["kind", "model", "rating", "review"],
        "fts_table": "images_fts",
        "fts_pk": "rowid",
        "columns": {
            "id": "Its name for good; it stands in the file too",
            "job_id": "The job that made it",
            "path": "Where it lies; outbox/ is the outbox folder, wherever that is",
            "sha256": "Of the file",
            "pixel_sha256": "Of the pixels alone: the same when only the metadata changed",
            "width": "Pixels",
            "height": "Pixels",
            "format": "Of the file: png, jpeg, webp ...",
            "kind": "What was done",
            "prompt": "The words it was made from",
            "negative_prompt": "What it was not to show",
            "caption": "What a caption job saw in it",
            "tags": "Keywords, with commas between",
            "seed": "The number that fixes the noise; text, as it may be larger than SQLite's integers",
            "seed_locked": "1 where you chose the seed",
            "model": "The model that made it; names that end with miniature are the small demonstration models",
            "profile": "The profile: precision, models and acceleration",
            "loras": "LoRAs with weights and hashes, JSON",
            "steps": "Steps of the sampler",
            "guidance": "How closely the prompt was followed",
            "sampler": "How noise was taken away",
            "rating": "Stars, 0 to 5, as your picture viewer wrote them; -1 where it says rejected",
            "review": "keep or reject: the folder you moved it to",
            "parent_path": "The picture it was made from",
            "prompt_tokens": "Length of the prompt as the model counts it",
            "peak_vram_mb": "Most graphics memory in use, MB",
            "energy_wh": "Electricity the graphics card used, watt-hours",
            "created_at": _TIMES["created_at"],
            "hot_folder": _HOT_FOLDER,
            "signature": "Size, time and number of the file as it was last read",
        },
    },
    "jobs": {
        "title": "Jobs",
        "description": "The queue and its history: one row for each piece of work.",
        "label_column": "name",
        "sort_desc": "created_at",
        "size": 50,
        "facets": ["state", "kind", "hot_folder"],
        "columns": {
            "id": "Its number, as commands take it",
            "drop_id": "The dropped files it belongs to",
            "state": "waiting, queued, running, publishing, done, failed or cancelled",
            "kind": "What is done",
            "hot_folder": _HOT_FOLDER,
            "name": "What its results are called",
            "priority": "Higher runs first",
            "spec": "The whole job, resolved, JSON",
            "planned": "Each picture's prompt and seed, JSON",
            "source_path": "The picture it works on",
            "model": "The model it needs",
            "position": "Its place in the queue, within its priority",
            "attempts": "How often it was started",
            "strikes": "How often the worker died while it ran; the second strike fails it",
            "requeues": "How often hotfolder itself was ended while it ran; after five it fails",
            **_TIMES,
            "run_s": "Seconds of work",
            "load_s": "Seconds spent loading models",
            "wait_reason": "What it waits for",
            "error": "What was wrong and what to do",
            "inputs": "Further pictures of it, a mask for one, JSON",
            "after": "Numbers of the jobs that have to end before it, JSON",
        },
    },
    "drops": {
        "title": "Drops",
        "description": "Files that were dropped together.",
        "label_column": "name",
        "sort_desc": "created_at",
        "facets": ["state", "hot_folder"],
        "columns": {
            "id": "Its name in .hotfolder/work",
            "hot_folder": _HOT_FOLDER,
            "name": "The file that names it",
            "state": "waiting, claimed, done, failed or cancelled",
            "files": "Names and SHA-256, JSON",
            "created_at": "When it was taken in, UTC",
            "finished_at": _TIMES["finished_at"],
            "superseded_by": "The drop that tried it again",
        },
    },
    "detections": {
        "title": "Detections",
        "description": "Things found in pictures, with their boxes in pixels.",
        "sort_desc": "id",
        "size": 50,
        "facets": ["label"],
        "columns": {
            "id": "A number",
            "job_id": "The job that found it",
            "image_path": "The picture it is in",
            "label": "What it is",
            "score": "How sure the model is, 0 to 1",
            "x0": "Left",
            "y0": "Top",
            "x1": "Right",
            "y1": "Bottom",
        },
    },
    "image_words": {
        "title": "Tags and LoRAs",
        "description": "One row for each tag, and each LoRA, of each picture.",
        "size": 50,
        "facets": ["what"],
        "columns": {
            "what": "tag or lora",
            "word": "The tag, or the LoRA's name",
            "image_id": "The picture that has it",
        },
    },
    "models": {
        "title": "Models",
        "description": "Weights known to this workspace, with their licences.",
        "facets": ["family", "licence"],
        "columns": {
            "name": "As jobs call it",
            "family": "The kind of model; LoRAs, upscalers and the like have their own",
            "path": "Where its weights lie",
            "sha256": "Of its file, where it is one",
            "bytes": "Size on disk",
            "licence": "What its makers allow",
            "trigger_words": "Words that wake a LoRA",
        },
    },
    "gpu_samples": {
        "title": "Graphics card",
        "description": "What the card did while jobs ran: each second for a week, then each minute.",
        "sort_desc": "at",
        "size": 50,
        "columns": {
            "id": "A number",
            "at": "When, UTC",
            "device": "The card's name",
            "job_id": "The job that ran",
            "span_s": "Seconds it stands for: 1, or 60 when it is old",
            "utilisation_percent": "How busy its cores were",
            "memory_used_mb": "Graphics memory in use, MB, of all programs",
            "memory_total_mb": "Graphics memory there is, MB",
            "temperature_c": "Degrees Celsius",
            "power_w": "Watts",
            "loaded": "Models in memory, JSON",
        },
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
_WELCOME = Markup(
    '<p>Pictures, jobs and saved queries, as tables. To look through the pictures, open the <a href="{gallery}">'
    'gallery</a>; what runs and waits is on the page of the <a href="{queue}">queue</a>. '
    "Nothing here can be changed from the browser.</p>"
)


def metadata(datasette: Any, site: Site) -> dict[str, Any]:
    """Return Datasette's metadata, a fresh copy (Datasette merges into what it is given)."""
    welcome = _WELCOME.format(**{name: pages.address(datasette, name) for name in ("gallery", "queue")})
    return {
        "title": "hotfolder",
        "description": "Your pictures, the jobs that made them, and what waits.",
        "databases": {
            site.database: {
                "title": "Catalog",
                "description_html": str(welcome),
                "tables": {name: {**table, "columns": dict(table["columns"])} for name, table in _TABLES.items()},
                "queries": {
                    name: {**query, "hide_sql": True} for name, query in queries(site.workspace.settings).items()
                },
            }
        },
    }


def menu(datasette: Any, site: Site) -> list[dict[str, str]]:
    """Return the navigation menu: our own pages, the two tables people want, then the saved queries."""
    own = [{"href": pages.address(datasette, name), "label": name.capitalize()} for name in ("gallery", "queue")]
    tables = [
        {"href": str(datasette.urls.table(site.database, name)), "label": _TABLES[name]["title"]}
        for name in ("images", "jobs")
    ]
    saved = [
        {"href": str(datasette.urls.query(site.database, name)), "label": query["title"]}
        for name, query in queries(site.workspace.settings).items()
    ]
    return own + tables + saved
