"""Pictures coming in: what a file is (`sniff`, header only) and its pixels as the models want them (`open_picture`)."""

from hotfolder.images.colour import on_white
from hotfolder.images.decode import Picture, open_picture, pixel_sha256
from hotfolder.images.header import MIME, PROMISED, SUFFIXES, Sniffed, sniff

__all__ = ["MIME", "PROMISED", "SUFFIXES", "Picture", "Sniffed", "on_white", "open_picture", "pixel_sha256", "sniff"]
