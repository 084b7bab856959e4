"""The saved queries: each answers a question that people come with. Name -> title, description, SQL.

Those that show pictures stop at 200: the gallery has the rest, a page at a time.
"""

from typing import Any

from hotfolder.catalog import queue
from hotfolder.settings import Settings

_IMAGE = "path, rating, review, kind, prompt, model, seed, created_at"
# A night runs from noon to noon on this machine's clock and is named after its evening.
_NIGHT = "date(coalesce(finished_at, started_at), 'localtime', '-12 hours')"

_NEWEST = """order by created_at desc, id desc
limit 200"""

QUERIES: dict[str, dict[str, Any]] = {
    "flagged": {
        "title": "Flagged pictures",
        "description": "What you kept: moved to a keep/ folder, or given four stars or more. The newest 200.",
        "sql": f"""select {_IMAGE} from images indexed by images_order
where review = 'keep' or rating >= 4
{_NEWEST}""",
    },
    "this_week": {
        "title": "This week",
        "description": "The pictures of the last seven days, newest first, at most 200.",
        "sql": f"""select {_IMAGE} from images indexed by images_order
where created_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days')
{_NEWEST}""",
    },
    "locked_seeds": {
        "title": "Locked seeds",
        "description": "Pictures whose seed you chose, the newest 200. The same seed, prompt and model give the same "
        "picture again.",
        "sql": f"""select path, seed, prompt, model, width, height, steps, guidance, created_at
from images indexed by images_order
where seed_locked = 1
{_NEWEST}""",
    },
    "failures": {
        "title": "Failures and how to mend them",
        "description": "Jobs that failed, with what was wrong. The dropped files lie in failed/ with the same words.",
        "sql": f"""select jobs.id as job, jobs.hot_folder, jobs.name, kind, error,
  {queue.HOW_TO_MEND} as how_to_mend,
  attempts, jobs.finished_at
from jobs join drops on drops.id = jobs.drop_id
where jobs.state = 'failed' and drops.superseded_by is null
order by jobs.finished_at desc""",
    },
    "waiting": {
        "title": "Waiting, and for what",
        "description": "Jobs that need something which is not there yet. Each starts by itself once it is.",
        "sql": """select id as job, hot_folder, name, kind, wait_reason, created_at from jobs
where state = 'waiting'
order by created_at""",
    },
    "cost_of_the_night": {
        "title": "Cost of the night",
        "description": "Work and electricity of each night, from noon to noon. Watt-hours are the graphics card's own "
        "figure; they are empty where it gives none.",
        "sql": f"""select {_NIGHT} as night,
  count(*) as jobs,
  sum(state = 'failed') as failed,
  sum(pictures) as pictures,
  round(sum(run_s), 1) as run_s,
  round(sum(load_s), 1) as load_s,
  round(sum(energy_wh), 2) as energy_wh,
  round(sum(energy_wh) / nullif(sum(pictures), 0), 3) as energy_wh_per_picture
from (
  select jobs.*,
    (select count(*) from images
      where images.job_id = jobs.id and (images.kind != 'sheet' or jobs.kind = 'sheet')) as pictures,
    (select sum(images.energy_wh) from images where images.job_id = jobs.id) as energy_wh
  from jobs)
where coalesce(finished_at, started_at) is not null
group by night
order by night desc""",
    },
    "most_used_models": {
        "title": "Models, by what came of them",
        "description": "How many pictures each model made, how many of them you kept, rejected, or gave stars.",
        "sql": """select model,
  count(*) as pictures,
  sum(review is 'keep') as kept,
  sum(review is 'reject') as rejected,
  round(avg(nullif(max(rating, 0), 0)), 1) as stars_on_average,
  max(created_at) as last_used
from images
where model is not null
group by model
order by pictures desc""",
    },
    "tags_and_loras": {
        "title": "Tags and LoRAs in use",
        "description": "How many pictures have each of them.",
        "sql": """select what, word, count(*) as pictures from image_words
group by what, word
order by pictures desc, what, word
limit 1000""",
    },
}


def queries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the queries; with `electricity_price` set, the cost of the night in money too."""
    price = settings.electricity_price
    if price is None:
        return QUERIES
    night = QUERIES["cost_of_the_night"]
    energy = "  round(sum(energy_wh), 2) as energy_wh,\n"
    money = f"  round(sum(energy_wh) / 1000 * {price!r}, 2) as money,\n"
    assert energy in night["sql"]
    told = f"{night['description']} The price is that of hotfolder.yaml, {price:g} for a kilowatt-hour."
    priced = {**night, "description": told, "sql": night["sql"].replace(energy, energy + money)}
    return {**QUERIES, "cost_of_the_night": priced}
