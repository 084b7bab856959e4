"""What a browser would build of a page."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """`seen`: tags with their attributes, in order; `text`: all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, name: str) -> list[str]:
        """Return an attribute of every element of a kind that has it."""
        return [value for one, given in self.seen if one == tag and (value := given.get(name)) is not None]
