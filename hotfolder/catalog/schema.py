"""The catalog's tables, as migrations. Public names: the tables and columns that users query in Datasette.

Times are ISO-8601 UTC text, durations seconds. Integers that may pass 2**63 (seeds) are text.
`outputs` is the protocol's own table: names and hashes reserved before anything appears in outbox.
"""

import sqlite3


def _words_of(row: str, source: str) -> str:
    """Return the statements that write the tags and LoRAs of `row` into image_words.

    `tags` has ", " between them: quoted as one JSON text and taken apart there, it is a list.
    """
    tags = f"""'[' || replace(json_quote({row}.tags), ', ', '","') || ']'"""
    loras = f"case when json_valid({row}.loras) then {row}.loras else '[]' end"
    return f"""insert or ignore into image_words(what, word, image_id)
      select 'tag', value, {row}.id {source} json_each({tags}) where {row}.tags is not null and value != '';
      insert or ignore into image_words(what, word, image_id)
      select 'lora', json_extract(value, '$.name'), {row}.id {source} json_each({loras})
      where json_extract(value, '$.name') != '';"""


MIGRATIONS: list[str] = [
    """
    create table drops(
      id text primary key, hot_folder text not null, name text not null,
      state text not null check(state in('waiting','claimed','done','failed','cancelled')),
      files text not null, created_at text not null, finished_at text,
      superseded_by text references drops(id));
    create index drops_state on drops(state);
    create table jobs(
      id integer primary key autoincrement, drop_id text not null references drops(id),
      state text not null check(state in('waiting','queued','running','publishing','done','failed','cancelled')),
      kind text not null, hot_folder text not null, name text not null, priority integer not null default 0,
      spec text not null, planned text not null,
      source_path text, model text not null default '', position integer not null,
      attempts integer not null default 0, strikes integer not null default 0, requeues integer not null default 0,
      created_at text not null, started_at text, finished_at text, run_s real, load_s real,
      wait_reason text, error text);
    create index jobs_queue on jobs(state, priority, position);
    create index jobs_drop on jobs(drop_id);
    create index jobs_position on jobs(position);
    create index jobs_started on jobs(priority, position) where state not in ('waiting','queued');
    create table outputs(
      job_id integer not null references jobs(id), idx integer not null, role text not null,
      path text not null, name_key text not null unique, sha256 text not null, bytes integer not null,
      facts text not null, published integer not null default 0,
      primary key(job_id, idx));
    create table images(
      id text primary key, job_id integer references jobs(id), path text not null unique, sha256 text not null,
      pixel_sha256 text not null, width integer not null, height integer not null, format text not null,
      kind text not null, prompt text, negative_prompt text, caption text, tags text, seed text, seed_locked integer,
      model text, profile text, loras text, steps integer, guidance real, sampler text, rating integer,
      review text check(review in('keep','reject')), parent_path text, prompt_tokens integer, peak_vram_mb real,
      energy_wh real, created_at text not null);
    create index images_created on images(created_at);
    create index images_job on images(job_id);
    create index images_pixels on images(pixel_sha256);
    create index images_sha on images(sha256);
    create table detections(
      id integer primary key, job_id integer references jobs(id), image_path text not null, label text not null,
      score real not null, x0 real not null, y0 real not null, x1 real not null, y1 real not null);
    create table models(
      name text primary key, family text, path text, sha256 text, bytes integer, licence text, trigger_words text);
    create virtual table images_fts using fts5(
      prompt, negative_prompt, caption, tags, content='images', content_rowid='rowid');
    create trigger images_fts_insert after insert on images begin
      insert into images_fts(rowid, prompt, negative_prompt, caption, tags)
      values (new.rowid, new.prompt, new.negative_prompt, new.caption, new.tags);
    end;
    create trigger images_fts_delete after delete on images begin
      insert into images_fts(images_fts, rowid, prompt, negative_prompt, caption, tags)
      values ('delete', old.rowid, old.prompt, old.negative_prompt, old.caption, old.tags);
    end;
    create trigger images_fts_update after update on images begin
      insert into images_fts(images_fts, rowid, prompt, negative_prompt, caption, tags)
      values ('delete', old.rowid, old.prompt, old.negative_prompt, old.caption, old.tags);
      insert into images_fts(rowid, prompt, negative_prompt, caption, tags)
      values (new.rowid, new.prompt, new.negative_prompt, new.caption, new.tags);
    end;
    """,
    # JSON: `inputs` has further pictures of a job by key (mask ...), `after` the ids of jobs that have to end before it
    "alter table jobs add column inputs text; alter table jobs add column after text;",
    # `span_s`: the time a sample stands for, a second or, when it is old, a minute. `loaded`: JSON, names of models
    # `signature`: size, time and number of the file as it was last read, so that a change is seen without reading it.
    # `images_order` holds all that the gallery's filters ask for but words: one walk along it answers any of them.
    # `images_kind` and so on: what Datasette counts for its facets, where one of them is chosen.
    # `images_paths`: the words of names and folders, for who looks for a photograph by its name.
    # `image_words`: each tag and LoRA of a picture, kept up by triggers from `tags` (", " between) and `loras` (JSON).
    f"""
    alter table images add column hot_folder text;
    alter table images add column signature text;
    update images set hot_folder = (select hot_folder from jobs where jobs.id = images.job_id);
    create table gpu_samples(
      id integer primary key, at text not null, device text not null,
      job_id integer references jobs(id) on delete set null, span_s integer not null default 1,
      utilisation_percent real, memory_used_mb real, memory_total_mb real, temperature_c real, power_w real,
      loaded text not null default '[]');
    create index gpu_samples_at on gpu_samples(at);
    create index gpu_samples_fine on gpu_samples(at) where span_s=1;
    create index gpu_samples_job on gpu_samples(job_id) where job_id is not null;
    drop index jobs_queue;
    create index jobs_queue on jobs(state, priority desc, position);
    create index jobs_ended on jobs(state, finished_at);
    create index jobs_kinds on jobs(state, kind, model, finished_at);
    create index drops_superseded on drops(superseded_by) where superseded_by is not null;
    create index images_energy on images(created_at, energy_wh) where energy_wh is not null;
    drop index images_created;
    create index images_order on images(
      created_at, id, kind, model, hot_folder, rating, review, seed_locked, job_id);
    create index images_kind on images(kind, created_at, model, rating, review);
    create index images_model on images(model, created_at, kind, rating, review);
    create index images_rating on images(rating, created_at, kind, model, review);
    create index images_review on images(review, created_at, kind, model, rating);
    create index images_folder on images(hot_folder, created_at, kind, model, rating, review);
    create virtual table images_paths using fts5(path, content='images', content_rowid='rowid');
    insert into images_paths(images_paths) values('rebuild');
    create trigger images_paths_insert after insert on images begin
      insert into images_paths(rowid, path) values (new.rowid, new.path);
    end;
    create trigger images_paths_delete after delete on images begin
      insert into images_paths(images_paths, rowid, path) values ('delete', old.rowid, old.path);
    end;
    create trigger images_paths_update after update of path on images begin
      insert into images_paths(images_paths, rowid, path) values ('delete', old.rowid, old.path);
      insert into images_paths(rowid, path) values (new.rowid, new.path);
    end;
    create index images_parent on images(parent_path) where parent_path is not null;
    create index detections_image on detections(image_path);
    create index jobs_source on jobs(source_path) where source_path is not null;
    create index jobs_inputs on jobs(id) where inputs is not null;
    create index outputs_taken_away on outputs(published) where published=2;
    create table image_words(
      what text not null check(what in('tag','lora')), word text not null, image_id text not null,
      primary key(what, word, image_id)) without rowid;
    create index image_words_image on image_words(image_id);
    {_words_of("images", "from images,")}
    create trigger image_words_insert after insert on images begin
      {_words_of("new", "from")}
    end;
    create trigger image_words_delete after delete on images begin
      delete from image_words where image_id = old.id;
    end;
    create trigger image_words_update after update of id, tags, loras on images begin
      delete from image_words where image_id = old.id;
      {_words_of("new", "from")}
    end;
    """,
]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to this version, each step in one transaction. `user_version` counts the steps applied.

    Raises:
        ValueError: the catalog was written by a newer version.
    """
    applied = connection.execute("pragma user_version").fetchone()[0]
    if applied > len(MIGRATIONS):
        raise ValueError(f"the catalog has version {applied}; this hotfolder knows versions up to {len(MIGRATIONS)}")
    for version, script in enumerate(MIGRATIONS[applied:], start=applied + 1):
        connection.executescript(f"begin immediate; {script} pragma user_version = {version}; commit;")


def mismatch(connection: sqlite3.Connection) -> str | None:
    """Return how a catalog differs from this version, and what to do; None where it does not."""
    applied = connection.execute("pragma user_version").fetchone()[0]
    if applied < len(MIGRATIONS):
        return (
            f"is of an earlier hotfolder (its version is {applied}, this one's {len(MIGRATIONS)}): start "
            "`hotfolder run`, which brings it up to date and loses nothing"
        )
    if applied > len(MIGRATIONS):
        return (
            f"was written by a newer hotfolder (its version is {applied}, this one's {len(MIGRATIONS)}): use that one, "
            "or update this one"
        )
    return None
