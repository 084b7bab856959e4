"""Which kind of file some first bytes begin: the pictures that are read, and, for a kind refusal, what else it is."""

HEAD_BYTES = 512

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)

_OTHERS = (
    (b"GIF8", "is a GIF; save it as PNG"),
    (b"\x00\x00\x00\x0cJXL ", "is a JPEG XL picture, which is not read yet; save it as PNG"),
    (b"\xff\x0a", "is a JPEG XL picture, which is not read yet; save it as PNG"),
    (b"\x00\x00\x00\x0cjP  ", "is a JPEG 2000 picture, which is not read; save it as PNG"),
    (b"8BPS", "is a Photoshop document; export it as PNG or TIFF"),
    (b"%PDF", "is a PDF; export its page as PNG"),
    (b"%!PS", "is a PostScript document; export it as PNG"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it and drop the pictures"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it and drop the pictures"),
    (b"Rar!", "is a RAR archive; unpack it and drop the pictures"),
    (b"\x1f\x8b", "is a gzip archive; unpack it and drop the pictures"),
    (b"\x1a\x45\xdf\xa3", "is a film; export a frame as PNG"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the picture itself; run `git lfs pull`"),
)


def picture_format(head: bytes) -> str | None:
    """Return the format that a file with these first bytes is read as (a key of `MIME`), None when it is not read.

    **Source**: the formats' own specifications; for AVIF and HEIF the `ftyp` box of ISO/IEC 14496-12.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if brands := _brands(head):
        # `mif1` alone names the container only: the codec is among the compatible brands
        return "AVIF" if brands & _AVIF_BRANDS else "HEIF" if brands & _HEIF_BRANDS else None
    return next((format for magic, format in _MAGIC if head.startswith(magic)), None)


def refusal(head: bytes) -> str:
    """Say what a file that is no such picture is instead, and what to do; follows the file's name in a sentence."""
    if not head:
        return "is empty; copy it again from where it came from"
    if not head.strip(b"\0"):
        return "holds only zeros where its header should be; copy it again from where it came from"
    if _brands(head):
        return "is a film or another media file, not a picture; export a frame as PNG"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "is not a picture: it begins with an HTML page, as a failed download does; download it again"
    if text.startswith((b"<svg", b"<?xml")):
        return "is an SVG drawing or another XML text; export it as PNG"
    if text.startswith((b"{", b"[")):
        return "is a JSON text, not a picture; download the picture itself"
    return "is not a picture that hotfolder reads (PNG, JPEG, WebP, TIFF, BMP, AVIF and HEIC are)"


def _brands(head: bytes) -> set[bytes]:
    """Return the brands of an ISO media file's `ftyp` box: the major one and those it is compatible with."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end - 3, 4)}
