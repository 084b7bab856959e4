"""A hundred things that people do to pictures in outbox, at random, while the service runs and while it does not."""

import signal
from pathlib import Path

from hotfolder import verify
from hotfolder.catalog import pictures
from tests.outbox.operations import Account
from tests.service.living import Living, living, picture, poll

PICTURES = 24
ROUNDS = (20, 30, 20, 30)
"""How much is done in each; in every other one while nothing runs."""


def make(one: Living) -> None:
    """Make pictures quickly, all different, some of them JPEG."""
    one.drop("upscale/folder.yaml", "model: lanczos\nfactor: 2\n")
    for number in range(PICTURES):
        if number % 3 == 0:
            one.drop(f"upscale/p{number:02}.png.yaml", "format: jpeg\n")
        one.drop(f"upscale/p{number:02}.png", picture(20 + number, colour=(number, 9 * number, 40)))
    poll(lambda: len(one.rows("select 1 from images")) == PICTURES, "all pictures")


def says(one: Living) -> dict[str, tuple[object, ...]]:
    rows = one.rows("select id, path, review, rating, tags from images")
    return {row["id"]: (row["path"], row["review"], row["rating"], row["tags"]) for row in rows}


def has_seen(one: Living) -> bool:
    """Say whether the catalog knows each file as it is now; what says nothing new is not known by what it says."""
    rows = one.rows("select path, signature from images")
    return all(row["signature"] == pictures.signature_at(one.workspace.absolute(row["path"])) for row in rows)


def agrees(one: Living, account: Account) -> None:
    """Wait until the catalog says what was done; AssertionError with what differs."""

    def look() -> bool:
        is_so = says(one) == account.expected() and has_seen(one)
        return is_so and not verify.verify(one.workspace, settled=False)

    try:
        poll(look, "agreement")
    except AssertionError:
        found, wanted = says(one), account.expected()
        odd = {key: (found.get(key), wanted.get(key)) for key in found.keys() | wanted.keys()}
        odd = {key: both for key, both in odd.items() if both[0] != both[1]}
        said = verify.verify(one.workspace, settled=False)
        raise AssertionError(f"{odd}; {said}; {account.log[-30:]}; {one.told()[-3000:]}") from None


def play(folder: Path, seed: int) -> int:
    """Do what `seed` decides in a new workspace; returns how many things were done, each of them followed."""
    account = None
    for one in living(folder):
        one.start()
        make(one)
        account = Account(one.workspace, one.rows("select id, path from images order by path"), seed)
        for place, count in enumerate(ROUNDS):
            if place % 2:
                one.end(signal.SIGKILL if place == 3 else signal.SIGTERM)
            for _ in range(count):
                account.do_something()
            if place % 2:
                one.start()
            agrees(one, account)
            account.all_is_seen()
        one.end()
        account.end()
        assert "Traceback" not in one.told()
    assert account
    return account.done
