"""The saved queries: each answers a question that people come with. Name -> title, description, SQL."""

from typing import Any

from hotfolder.catalog import queue

_IMAGE = "path, rating, review, kind, prompt, model, seed, created_at"
# A night runs from noon to noon on this machine's clock and is named after its evening.
_NIGHT = "date(coalesce(finished_at, started_at), 'localtime', '-12 hours')"

QUERIES: dict[str, dict[str, Any]] = {
    "flagged": {
        "title": "Flagged pictures",
        "description": "What you kept: moved to a keep/ folder, or given four stars or more.",
        "sql": f"""select {_IMAGE} from images
where review = 'keep' or rating >= 4
order by rating desc, created_at desc""",
    },
    "this_week": {
        "title": "This week",
        "description": "Every picture of the last seven days, newest first.",
        "sql": f"""select {_IMAGE} from images
where datetime(created_at) >= datetime('now', '-7 days')
order by created_at desc""",
    },
    "locked_seeds": {
        "title": "Locked seeds",
        "description": "Pictures whose seed you chose. The same seed, prompt and model give the same picture again.",
        "sql": """select path, seed, prompt, model, width, height, steps, guidance, created_at from images
where seed_locked = 1
order by seed, created_at desc""",
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
    (select count(*) from images where images.job_id = jobs.id) as pictures,
    (select sum(images.energy_wh) from images where images.job_id = jobs.id) as energy_wh
  from jobs)
where coalesce(finished_at, started_at) is not null
group by night
order by night desc""",
    },
}
