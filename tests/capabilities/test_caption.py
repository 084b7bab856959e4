"""Captions: what a picture shows, said beside it, in the catalog and in a copy of its own file, pixels untouched."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from hotfolder import images, rebuild, verify
from hotfolder import workspace as places
from hotfolder.capabilities.base import Context
from hotfolder.capabilities.caption import Caption
from hotfolder.catalog import store
from hotfolder.errors import RejectedInput
from hotfolder.metadata import read, write
from hotfolder.miniatures.world import Scene, Thing, paint
from hotfolder.spec import JobSpec, Planned
from tests.capabilities import photographs
from tests.capabilities.stands import NoPool
from tests.metadata import made
from tests.metadata.test_embed import compressed
from tests.service.living import Living, at_once, poll

SCENE = Scene("yellow", (Thing("purple", "tree", "large", "left"),))
WORDS = SCENE.describe()
PAINTED = paint(SCENE, 160).image
DESCRIBED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:\
Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">Anna and\
 her tree</rdf:li></rdf:Alt></dc:description><dc:subject><rdf:Bag><rdf:li>garden</rdf:li></rdf:Bag></dc:subject></rdf:\
Description></rdf:RDF></x:xmpmeta>'
)


def cut_out() -> Image.Image:
    """Return a red circle on nothing: what is behind its alpha is the colour of something else."""
    painting = paint(Scene("blue", (Thing("red", "circle", "large"),)), 160)
    image = painting.image.convert("RGBA")
    image.putalpha(painting.masks[0])
    return image


def grey() -> Image.Image:
    return paint(Scene("white", (Thing("black", "circle", "large"),)), 160).image.convert("L")


PICTURES: dict[str, tuple[str, bytes, str, str]] = {
    # case: (name, content, job, caption)
    "png": ("a.png", photographs.written(PAINTED, "PNG"), "", WORDS),
    "jpeg": ("b.JPG", photographs.written(PAINTED, "JPEG", quality=90), "", WORDS),
    "webp": ("c.webp", photographs.written(PAINTED, "WEBP"), "", WORDS),
    "tiff": ("d.tif", photographs.written(PAINTED, "TIFF"), "tags: [x]", WORDS),
    "misnamed": ("e.png", photographs.written(PAINTED, "JPEG", quality=90), "", WORDS),
    "turned": ("f.jpg", photographs.turned(PAINTED, 6), "", WORDS),
    "cut-out": ("g.png", photographs.written(cut_out(), "PNG"), "", "a large red circle on a white background"),
    "grey": ("h.png", photographs.written(grey(), "PNG"), "", "a large black circle on a white background"),
    "trigger": ("i.png", photographs.written(PAINTED, "PNG"), "trigger: ohwx\ntags: [x, y]", f"ohwx, {WORDS}"),
    "prefix": ("j.png", photographs.written(PAINTED, "PNG"), "prompt: a large purple", WORDS),
    "short": ("k.png", photographs.written(PAINTED, "PNG"), "max_tokens: 2", "a large"),
    "described": ("l.jpg", photographs.written(PAINTED, "JPEG", xmp=DESCRIBED), "", "Anna and her tree"),
    "more": ("m.jpg", photographs.written(PAINTED, "JPEG", xmp=DESCRIBED), "existing: append\ntags: [x]",
             f"Anna and her tree, {WORDS}"),
    "anew": ("n.jpg", photographs.written(PAINTED, "JPEG", xmp=DESCRIBED), "existing: overwrite", WORDS),
    "with text": ("o.jpg", photographs.written(PAINTED, "JPEG", xmp=DESCRIBED), "trigger: ohwx", "ohwx, mine"),
    "text and more": ("p.png", photographs.written(PAINTED, "PNG"), "existing: append\ntrigger: mine",
                      f"mine, {WORDS}"),
    "text anew": ("q.png", photographs.written(PAINTED, "PNG"), "existing: overwrite", WORDS),
}  # fmt: skip
WITH_TEXT = ("with text", "text and more", "text anew")
KEPT = ("described", "with text")


@pytest.fixture(scope="module")
def captioned(studio: Living) -> dict[str, dict[str, Any]]:
    """Drop every picture; give the rows of what became of them."""
    (studio.workspace.inbox / "caption" / "folder.yaml").write_text("profile: miniature\nformat: jpeg\n")
    with at_once(studio):
        for case, (name, data, job, _) in PICTURES.items():
            if case in WITH_TEXT:
                studio.drop(f"caption/{Path(name).stem}.txt", "mine\n")
            if job:
                studio.drop(f"caption/{name}.yaml", job + "\n")
            studio.drop(f"caption/{name}", data)
    jobs = {case: studio.job(Path(name).stem) for case, (name, *_) in PICTURES.items()}
    assert {case: job["error"] for case, job in jobs.items() if job["error"]} == {}
    return {case: studio.images(job["name"])[0] for case, job in jobs.items()}


@pytest.mark.parametrize("case", PICTURES)
def test_the_caption_is_beside_it_in_it_and_in_the_catalog(
    studio: Living, captioned: dict[str, dict[str, Any]], case: str
) -> None:
    row, (name, data, job, expected) = captioned[case], PICTURES[case]
    path = studio.workspace.absolute(row["path"])
    assert path.with_suffix(".txt").read_bytes() == expected.encode(), "the caption alone, as trainers read it"
    found = read.read(path)
    assert (row["caption"], found.caption, found.image_id) == (expected, expected, row["id"])
    own = ("garden",) if DESCRIBED in data else ()
    wanted = (*own, *(tag for tag in ("x", "y") if f"{tag}" in job.partition("tags:")[2]))
    assert (found.tags, row["tags"]) == (wanted, ", ".join(wanted) or None)
    model, profile = (None, None) if case in KEPT else ("blip-large-miniature", "miniature")
    assert (row["kind"], row["seed"], row["profile"], row["model"]) == ("caption", None, profile, model)
    told = found.record.keys() & {"model", "model_hash", "profile", "miniature"}
    assert found.record["miniature"] is (case not in KEPT)
    assert told - {"miniature"} == (set() if case in KEPT else {"model", "model_hash", "profile"})
    assert row["parent_path"] == f"done/caption/{name}"
    assert (studio.root / row["parent_path"]).read_bytes() == data


@pytest.mark.parametrize("case", PICTURES)
def test_the_picture_is_untouched(studio: Living, captioned: dict[str, dict[str, Any]], case: str) -> None:
    row, (name, data, *_) = captioned[case], PICTURES[case]
    path = studio.workspace.absolute(row["path"])
    with Image.open(io.BytesIO(data)) as before, Image.open(path) as after:
        assert after.tobytes() == before.tobytes()
        assert after.getexif().get(0x0112) == before.getexif().get(0x0112), "turned as it was"
        assert (row["format"], f".{row['format']}") in {
            (form, ending) for form, ending in [(str(before.format).lower(), f".{str(before.format).lower()}")]
        }
        upright = ImageOps.exif_transpose(before)
    assert (row["width"], row["height"]) == upright.size
    assert row["pixel_sha256"] == images.pixel_sha256(images.open_picture(path, 1 << 20).image)
    if case == "tiff":
        assert path.read_bytes() == data and path.with_name(f"{path.name}.xmp").is_file()
    else:
        assert compressed(path.read_bytes()) == compressed(data)
    assert path.suffix == (".jpg" if case == "misnamed" else Path(name).suffix.lower())


def test_its_job_file_dropped_again_says_the_same(studio: Living, captioned: dict[str, dict[str, Any]]) -> None:
    for case in ("trigger", "with text"):
        beside = studio.workspace.absolute(captioned[case]["path"]).with_suffix(".job.yaml")
        assert not {"seed", "width", "format"} & {line.partition(":")[0] for line in beside.read_text().splitlines()}
        studio.drop(f"caption/again {case}.job.yaml", beside.read_bytes())
        assert studio.job(f"again {case}", "done", "failed")["error"] is None
        (again,) = studio.images(f"again {case}")
        assert (again["caption"], again["pixel_sha256"]) == (PICTURES[case][3], captioned[case]["pixel_sha256"])


def test_a_generated_picture_is_described_anew(
    studio: Living, captioned: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Its XMP describes it by its prompt, which is no caption."""
    write.save(PAINTED, tmp_path / "made.png", "png", 92, made.facts(width=160, height=160))
    studio.drop("caption/made.png", (tmp_path / "made.png").read_bytes())
    assert studio.job("made")["error"] is None
    (row,) = studio.images("made")
    found = read.read(studio.workspace.absolute(row["path"]))
    assert (found.caption, found.record["kind"]) == (WORDS, "caption")
    assert found.parameters and found.parameters["prompt"] == "a knight in a storm", "how it was made is kept"


def test_what_cannot_be_is_refused_and_the_queue_goes_on(studio: Living, captioned: dict[str, dict[str, Any]]) -> None:
    data = photographs.written(PAINTED, "PNG")
    refused = {
        "form": ("format: webp\n", "`format` means nothing to `caption`"),
        "mode": ("mode: quick\n", "`mode` must be"),
        "long": ("prompt: " + "a " * 60 + "\n", "make one of them smaller"),
    }
    with at_once(studio):
        for name, (job, _) in refused.items():
            studio.drop(f"caption/{name}.png.yaml", job)
            studio.drop(f"caption/{name}.png", data)
        studio.drop("caption/novel.txt", "word " * 5000)
        studio.drop("caption/novel.png", data)
        studio.drop("caption/latin.txt", b"caf\xe9 au lait")
        studio.drop("caption/latin.png", data)
        studio.drop("caption/after.png", data)
    for name, (_, said) in refused.items():
        assert said in studio.job(name, "failed")["error"]
    assert "novel.txt has more than 16384 characters" in studio.job("novel", "failed")["error"]
    assert "this is not UTF-8 text" in studio.job("latin", "failed")["error"]
    assert {path.name for path in (studio.root / "failed" / "caption").glob("novel*")} == {
        "novel.png", "novel.txt", "novel.png.error.txt"
    }  # fmt: skip
    assert studio.job("after", "done")["error"] is None


def test_rebuild_and_verify_know_the_files_beside(
    studio: Living, captioned: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("models", "lock", "pid", "*.part")
    poll(lambda: not list(studio.workspace.work.iterdir()), "end of all work")
    with at_once(studio):
        shutil.copytree(studio.root, tmp_path / "w", ignore=ignored)
    copy = places.open_workspace(tmp_path / "w")
    places.make_private(copy)
    columns = "id, path, sha256, pixel_sha256, width, height, format, kind, caption, tags, model, profile, rating"
    sql = f"select {columns} from images where kind='caption' order by path"
    with store.reading(copy.catalog) as catalog:
        before = catalog.rows(sql)
    assert len(before) >= len(PICTURES)
    rebuild.rebuild(copy)
    with store.reading(copy.catalog) as catalog:
        assert catalog.rows(sql) == before
        (hit,) = catalog.rows("select count(*) n from images_fts where images_fts match 'caption:purple'")
        assert hit["n"] >= 10
    assert verify.verify(copy) == []


def test_a_kept_caption_loads_no_model() -> None:
    spec = JobSpec(kind="caption", options={"trigger": "mine"})
    planned = (Planned(seed=0, seed_locked=False),)
    for own, expected in (("mine", "mine"), ("mine, a tree", "mine, a tree"), ("miners", "mine, miners")):
        context = Context(
            spec, Caption.Options(**spec.options), planned, "m", NoPool(), lambda *_: None, PAINTED, caption=own
        )
        (result,) = Caption().run(context)
        assert (result.image, result.texts, result.facts["model"]) == (None, {".txt": expected}, None)


class _Saying:
    def __init__(self, words: str) -> None:
        self.words = words

    def caption(self, *given: Any) -> str:
        return self.words

    def attempt(self, name: str, work: Any) -> Any:
        return work(self)


def test_nothing_is_appended_twice() -> None:
    spec = JobSpec(kind="caption", options={"trigger": "ohwx", "existing": "append"})
    planned = (Planned(seed=0, seed_locked=False),)
    for own, expected in (
        ("existing", "ohwx, existing, a tree"),
        ("ohwx, existing, a tree", "ohwx, existing, a tree"),
        ("A tree, by Anna", "ohwx, A tree, by Anna"),
        ("a treehouse", "ohwx, a treehouse, a tree"),
    ):
        options = Caption.Options(**spec.options)
        context = Context(spec, options, planned, "m", _Saying("a tree"), lambda *_: None, PAINTED, caption=own)
        (result,) = Caption().run(context)
        assert result.texts == {".txt": expected}
        assert ("model" in result.facts) == (expected.removeprefix("ohwx, ") == own.removeprefix("ohwx, "))


def test_deep_is_another_model_and_objects_ask_a_detector() -> None:
    spec, deep = JobSpec(kind="caption"), Caption.Options(mode="deep", objects=True)
    assert (Caption.variant(spec, deep), Caption.variant(spec, Caption.Options())) == ("deep", None)
    assert (Caption.helpers(spec, deep), Caption.helpers(spec, Caption.Options())) == (("detect",), ())


LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]


@pytest.fixture(scope="module", params=["as published", "as saved today", "with [DEC] as a word"])
def tiny_blip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP of random weights whose files lie as the real repository's do, or as transformers 5 writes them; or as in
    copies whose vocabulary has the token that captions are started with, and does not know that it is special."""
    import torch
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(0)
    folder: Path = tmp_path_factory.mktemp("blip")
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    common["initializer_range"] = 0.5  # type: ignore[assignment]
    text = {"vocab_size": len(VOCABULARY) + 2, "bos_token_id": len(VOCABULARY), "sep_token_id": 3, "pad_token_id": 0}
    config = BlipConfig(
        vision_config={**common, "image_size": 32, "patch_size": 16},
        text_config={**common, **text, "max_position_embeddings": 48},
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    if request.param == "as saved today":
        words = BertTokenizer(vocab={word: number for number, word in enumerate(VOCABULARY)})
        BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), words).save_pretrained(folder)
        return folder
    started = ["[DEC]", "[ENC]"] if request.param == "with [DEC] as a word" else []
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY, *started]) + "\n")
    texts = {"do_lower_case": True, "tokenizer_class": "BertTokenizer", "processor_class": "BlipProcessor"}
    (folder / "tokenizer_config.json").write_text(json.dumps(texts))
    pixels = {"image_processor_type": "BlipImageProcessor", "processor_class": "BlipProcessor", "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels | {"size": {"height": 32, "width": 32}}))
    return folder


def test_a_folder_in_the_real_layout_is_loaded_by_the_same_code(tiny_blip: Path) -> None:
    from hotfolder.models import load, sources
    from hotfolder.models.entries import entries
    from hotfolder.models.families.blip import Blip

    source = sources.part_of(tiny_blip, "")
    parts = {name: load.load(kind, source, "fp32", "cpu", tiny_blip) for name, kind in Blip.PARTS.items()}
    family = Blip(entries()["blip-large"], parts)
    said = family.caption(PAINTED, None, 8)
    assert said and not {"[", "]"} & set(said), "no token of the vocabulary's own"
    assert family.caption(PAINTED, None, 8) == said
    assert family.caption(PAINTED, "a photo", 8).startswith("a photo")
    white = Image.new("RGBA", (40, 30), (255, 255, 255, 255))
    clear = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    assert family.caption(clear, None, 8) == family.caption(white, None, 8), "what is transparent is white"
    assert family.caption(grey(), None, 8) == family.caption(grey().convert("RGB"), None, 8)
    with pytest.raises(RejectedInput, match="`prompt` has 41 tokens and `max_tokens` is 8"):
        family.caption(PAINTED, "a " * 41, 8)
