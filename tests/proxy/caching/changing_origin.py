"""An origin whose resource changes, and that answers requests for parts of it in all ways, right and odd ones; and the
clients that find out whether a cache makes one response of what is two.

Whatever it answers, its bytes are those of the version that it names; only where it contradicts itself are they marks,
which nobody may get as if they were a part that is known. Where it gives one tag to what has another length, they are
other marks: nobody can know that of the first such part, but what is of neither length may not be with it.
"""

import re

from tests.proxy.caching.caching_proxy import Got, get

SIZES = (1, 7, 40, 300, 5_000, 40_000, 150_000)
MARK = b"!"
OTHER = b"?"
USUAL = ("right",) * 12
ODD = (
    "whole", "416", "412", "304", "500", "404", "short", "long", "other tag", "other length", "no tag", "weak tag",
    "contradicts itself", "unknown length", "multipart", "early", "no-store", "chunked", "private",
)  # fmt: skip


class Version:
    """The resource as it is for a while: ``number`` tells it from others, and each place in it from most others."""

    def __init__(self, number, size):
        self.tag = b'"%d"' % number
        self.body = b"".join(b"%d.%x|" % (number, place) for place in range(0, size, 3))[:size]
        assert len(self.body) == size


class ChangingOrigin:
    """Answers questions by ``chance``."""

    def __init__(self, proxy, chance, odd):
        self.proxy = proxy
        self.chance = chance
        self.ways = USUAL + (ODD if odd else ())
        self.versions = {}
        self.change()

    def change(self):
        """The resource changes."""
        # Most are as long as the one before, so that nothing but the tag tells them apart.
        chance, size = self.chance, len(self.now.body) if self.versions else 40
        size = size if self.versions and chance.random() < 0.7 else chance.choice(SIZES)
        self.now = Version(len(self.versions) + 1, size)
        self.versions[self.now.tag] = self.now

    def answer(self, question):
        """What it says to a request."""
        way, version = self.chance.choice(self.ways), self.now
        fields = dict(re.findall(rb"(?i)\r\n(range|if-range|if-none-match): ([^\r]*)", question.lower()))
        if fields.get(b"if-none-match") == version.tag or way == "304":
            return self._response(b"", "304 Not Modified", version)
        if way in ("416", "412", "500", "404"):
            return self._response(b"no", f"{way} No", version, way="no-store")
        span = _span(fields.get(b"range"), len(version.body))
        unchanged = fields.get(b"if-range") in (None, version.tag)
        if span is None or not unchanged or way in ("whole", "no-store", "chunked", "private"):
            return self._response(version.body, "200 OK", version, way=way)
        return self._part(way, version, *span)

    def _part(self, way, version, start, stop):
        chance, size = self.chance, len(version.body)
        if start >= stop:
            return self._response(b"", "416 No", version, content_range=f"bytes */{size}")
        if way == "other tag":
            version = chance.choice(list(self.versions.values()))
            size = len(version.body)
            start = min(start, size - 1)
            stop = max(start + 1, min(stop, size))
        elif way == "short":
            stop = chance.randrange(start + 1, stop + 1)
        elif way == "long":
            stop = chance.randrange(stop, size + 1)
        elif way == "early":
            start = chance.randrange(0, start + 1)
        body, length = version.body[start:stop], str(size)
        if way == "unknown length":
            length = "*"
        elif way == "other length":
            body, length = OTHER * len(body), str(size + 1)
        elif way == "contradicts itself":
            body = MARK * (len(body) + 1)
        elif way == "multipart":
            body = MARK * len(body)
        told = f"bytes {start}-{stop - 1}/{length}"
        return self._response(body, "206 Partial Content", version, way=way, content_range=told)

    def _response(self, body, status, version, way="", **fields):
        lines = {"cache_control": "max-age=60", "etag": version.tag.decode(), **fields}
        if way == "no tag":
            del lines["etag"]
        elif way == "weak tag":
            lines["etag"] = "W/" + lines["etag"]
        elif way in ("no-store", "private"):
            lines["cache_control"] = way
        elif way == "multipart":
            lines["content_type"] = "multipart/byteranges; boundary=x"
        made = self.proxy.response(body.decode(), status, **lines)
        if way != "chunked" or not body:
            return made
        head, _, body = made.partition(b"\r\n\r\n")
        head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
        return b"%b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body)


def _span(field, size):
    match = re.fullmatch(rb"bytes=(\d*)-(\d*)", field or b"")
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def request(chance, size):
    """One that asks for all or part of what has that size; and sometimes says what it has."""
    start, stop = sorted(chance.randrange(size + 2) for _ in range(2))
    if chance.random() < 0.7:
        stop = min(stop, start + size // 5)
    part = chance.choice([f"bytes={start}-{stop}", f"bytes={start}-", f"bytes=-{stop}", f"bytes=0-0,{stop}-{stop}"])
    fields = {} if chance.random() < 0.15 else {"range": part}
    if fields and chance.random() < 0.2:
        fields["if_range"] = f'"{chance.randrange(1, 5)}"'
    if chance.random() < 0.1:
        fields["if_none_match"] = f'"{chance.randrange(1, 5)}"'
    return get(method="HEAD" if chance.random() < 0.05 else "GET", **fields)


def fault(data, asked, versions):
    """What is wrong with what a client got, as far as it came; None if nothing is."""
    if not data:
        return None
    got = Got(data)
    tag, told = got.fields.get("etag", b"").removeprefix(b"W/"), got.told
    if got.status not in (200, 206) or asked.startswith(b"HEAD"):
        return "a body" if asked.startswith(b"HEAD") and got.body else None
    if got.status == 206 and b"multipart" in got.fields.get("content-type", b""):
        return None if MARK not in got.body or "stored" not in told else "marks"
    if "content-length" not in got.fields:
        return None
    if MARK in got.body:
        return "marks" if "hit" in told or "stored" in told or "partial; ttl" in told else None
    if OTHER in got.body:
        return None if not got.body.strip(OTHER) else "marks among others"
    faults = [_unlike(got, one.body) for one in ([versions[tag]] if tag in versions else versions.values())]
    # What has no tag may be of any, but of one.
    return None if None in faults else faults[0]


def _unlike(got, whole):
    """What a response has that a version does not."""
    wanted = whole
    if got.status == 206:
        match = re.fullmatch(rb"bytes (\d+)-(\d+)/(\d+|\*)", got.fields["content-range"])
        if match[3] not in (b"*", b"%d" % len(whole)):
            return "another length"
        wanted = whole[int(match[1]) : int(match[2]) + 1]
    length = int(got.fields["content-length"])
    if length != len(wanted):
        return f"{length} bytes are promised of {len(wanted)}"
    return None if wanted.startswith(got.body) else "other bytes"
