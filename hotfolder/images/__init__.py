"""Pictures coming in: what a file is (`sniff`, header only) and its pixels as the models want them (`open_picture`)."""

from hotfolder.images.decode import Picture, open_picture, pixel_sha256
from hotfolder.images.header import MIME, SUFFIXES, Sniffed, sniff

__all__ = ["MIME", "SUFFIXES", "Picture", "Sniffed", "open_picture", "pixel_sha256", "sniff"]
