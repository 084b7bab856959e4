"""What the gallery asks the catalog: which pictures, in which order, from where on; and what can be chosen.

There is one plan for every question: a walk along the index `images_order`, newest first, until a page is full. It
holds what the filters look at; pictures with certain words are a set that each step of the walk is looked up in.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hotfolder.catalog import store

PAGE = 96
"""Pictures on one page of the gallery."""
MAX_WORDS = 64
"""Of a search; FTS5 takes no endless ones, and so many words name one prompt among a million."""
MAX_CHOICES = 1000

SHOWS = {
    "flagged": "(review = 'keep' or rating >= 4)",
    "week": "created_at >= :week",
    "locked": "seed_locked = 1",
}
REVIEWS = {"keep": "review = 'keep'", "reject": "review = 'reject'", "open": "review is null"}
RATINGS = {"0": "coalesce(rating, 0) <= 0", **{str(stars): f"rating >= {stars}" for stars in range(1, 6)}}
_EQUAL = {"kind": "kind = :kind", "model": "model = :model", "folder": "hot_folder = :folder"}
_WORDS = {
    "tag": "id in (select image_id from image_words where what = 'tag' and word = :tag)",
    "lora": "id in (select image_id from image_words where what = 'lora' and word = :lora)",
}
_SEARCH = """(images.rowid in (select rowid from images_fts where images_fts match :match)
  or images.rowid in (select rowid from images_paths where images_paths match :path))"""
KEYS = ("q", "show", "kind", "model", "lora", "tag", "folder", "rating", "review", "job")
"""What an address of the gallery may ask for, besides `after`."""

_PAGE = f"""select id, path, kind, width, height, rating, review, created_at,
  substr(coalesce(nullif(prompt, ''), caption, ''), 1, 300) as words
from images indexed by images_order
where {{}}
order by created_at desc, id desc
limit {PAGE + 1}"""
_NEIGHBOUR = """select id from images indexed by images_order where {0}
order by created_at{1}, id{1} limit 1"""
# the next larger value each time: as many steps as there are values, however many pictures
_CHOICES = f"""with recursive found(word) as (
  select min({{column}}) from {{rows}}
  union all
  select (select min({{column}}) from {{rows}} {{also}} {{column}} > found.word)
  from found where found.word is not null)
select word from found where word != '' limit {MAX_CHOICES}"""


def wanted(query: Mapping[str, str]) -> dict[str, str]:
    """Return what an address asks for, without what is empty or no choice that there is."""
    choices = {"show": SHOWS, "review": REVIEWS, "rating": RATINGS}
    asked = {key: value for key in KEYS if (value := query.get(key) or "").strip()}
    asked = {key: value for key, value in asked.items() if key not in choices or value in choices[key]}
    if not asked.get("job", "0").isascii() or not asked.get("job", "0").isdigit() or len(asked.get("job", "")) > 18:
        del asked["job"]
    return asked


def page(asked: Mapping[str, str], after: str = "") -> tuple[str, dict[str, Any]]:
    """Return the SELECT of one page and its values, PAGE + 1 rows at most: the last tells that there are more.

    `asked` is of `wanted`. `after` is the `place` of the last picture before the page.
    """
    terms, values = _terms(asked)
    at, _, last = after.partition("~")
    if last:
        terms.append("(created_at, id) < (:at, :last)")
        values |= {"at": at, "last": last}
    return _PAGE.format(" and ".join(terms) or "true"), values


def neighbour(asked: Mapping[str, str], row: Mapping[str, Any], newer: bool) -> tuple[str, dict[str, Any]]:
    """Return the SELECT of the picture (`id`) before or after that of `row` among those asked for, and its values."""
    terms, values = _terms(asked)
    terms.append(f"(created_at, id) {'>' if newer else '<'} (:at, :last)")
    return _NEIGHBOUR.format(" and ".join(terms), "" if newer else " desc"), values | {
        "at": row["created_at"],
        "last": row["id"],
    }


def _terms(asked: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that `asked` comes to, and the values in them."""
    terms = [*(_EQUAL[key] for key in _EQUAL if key in asked), *(_WORDS[key] for key in _WORDS if key in asked)]
    values: dict[str, Any] = {key: asked[key] for key in (*_EQUAL, *_WORDS) if key in asked}
    for key, choices in (("show", SHOWS), ("review", REVIEWS), ("rating", RATINGS)):
        if key in asked:
            terms.append(choices[asked[key]])
    if asked.get("show") == "week":
        values["week"] = store.utc(datetime.now(UTC) - timedelta(days=7))
    if "job" in asked:
        terms.append("job_id = :job")
        values["job"] = int(asked["job"])
    if "q" in asked:
        terms.append(_SEARCH)
        words = match(asked["q"])
        # what stands in a negative prompt is not in the picture
        values |= {"match": f"- negative_prompt : ({words})", "path": words}
    return terms, values


def place(row: Mapping[str, Any]) -> str:
    """Return where a picture stands in the order, for `after`; it stays true when pictures come and go."""
    return f"{row['created_at']}~{row['id']}"


def match(text: str) -> str:
    """Return what FTS5 looks for when a user types `text`: all of its words, the last one perhaps not yet whole.

    Nothing in it is read as an operator.
    """
    words = list(dict.fromkeys(text.replace("\0", " ").split()))[:MAX_WORDS]
    quoted = " ".join('"{}"'.format(word.replace('"', '""')) for word in words)
    return f"{quoted} *" if quoted else '""'


def choices(name: str) -> str:
    """Return the SELECT of the values (`word`) that one of kind, model, folder, lora and tag has among the pictures."""
    if name in _WORDS:
        return _CHOICES.format(column="word", rows=f"image_words where what = '{name}'", also="and")
    return _CHOICES.format(column="hot_folder" if name == "folder" else name, rows="images", also="where")
