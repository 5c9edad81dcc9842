"""What the extension of a path promises of a Content-Type.

Who gets somebody to ask for ``/account/x.css`` of a site that answers with the account finds that under the same name
afterwards, in a cache that was told to keep all of ``.css``. A rule keeps nothing of another type than that.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_JSON: Final = r"application/(?:[^/]*\+)?json"
# Each is a form of file, and the types that servers have for it. What a browser shows as a page is in none but its own.
_FORMS: Final = (
    ("css", r"text/css"),
    ("js mjs cjs", r"(?:text|application)/(?:x-)?(?:java|ecma)script"),
    ("json map webmanifest", _JSON + r"|text/json"),
    ("png jpg jpeg jpe gif webp avif svg svgz ico cur bmp tif tiff apng jxl heic", r"image/.+"),
    ("woff woff2 ttf otf eot", r"font/.+|application/(?:x-)?font-.+|application/vnd\.ms-fontobject"),
    (
        "mp4 m4v webm ogv mov avi mkv mp3 ogg oga wav flac m4a aac opus ts m4s m3u8 mpd vtt",
        r"(?:video|audio)/.+|application/(?:ogg|dash\+xml|(?:vnd\.apple\.|x-)mpegurl)|text/vtt",
    ),
    ("pdf", r"application/pdf"),
    ("xml rss atom xsl", r"(?:text|application)/(?:(?!xhtml\b)[^/]*\+)?(?:xml|xsl)"),
    ("txt csv tsv md log", r"text/(?:plain|csv|tab-separated-values|markdown)"),
    ("html htm xhtml", r"text/html|application/xhtml\+xml"),
    (
        "zip gz tgz bz2 xz zst br 7z rar tar iso dmg exe msi deb rpm apk jar bin swf wasm "
        "doc docx xls xlsx ppt pptx odt ods odp ps eps rtf",
        r"application/(?!(?:[^/]*\+)?(?:json|xml)$)(?!(?:x-)?(?:java|ecma)script$).+|text/rtf",
    ),
)
_TYPES: Final = {
    extension.encode("ascii"): re.compile(types) for extensions, types in _FORMS for extension in extensions.split()
}
_EXTENSION: Final = re.compile(rb"\.([A-Za-z0-9]+)")
# It says nothing of what it is, and no browser shows it.
_OCTETS: Final = "application/octet-stream"


def type_fits(path: bytes, content_type: bytes | None) -> bool:
    """Whether a response with ``content_type`` may be what the extension of ``path`` promises. Where there is none, or
    none that is known, any may.
    """
    expected = _promised(path)
    if expected is None:
        return True
    if content_type is None:
        return False
    found = content_type.partition(b";")[0].strip(b" \t").lower().decode("latin-1")
    return found == _OCTETS or expected.fullmatch(found) is not None


def _promised(path: bytes) -> re.Pattern[str] | None:
    # Applications cut paths where we would not (at ";", "%3f", "%00", and before "/x.css/"): the last extension that
    # stands anywhere in the last segment counts.
    segment = unquote_to_bytes(path.partition(b"?")[0]).rstrip(b"/").rpartition(b"/")[2]
    extensions = _EXTENSION.findall(segment)
    return _TYPES.get(extensions[-1].lower()) if extensions else None
