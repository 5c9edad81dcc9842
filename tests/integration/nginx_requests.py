"""What is asked of nginx and of the translation of each file in ``nginx_files``."""

import attrs


@attrs.frozen
class Request:
    """A request; ``status`` is what nginx has to answer, where that says something, and ``ours`` what is answered here
    where it is not the same. ``looks_at`` are ``upstream`` (which one) and ``files`` (bodies of errors).
    """

    port: str
    path: str
    host: str
    method: str = "GET"
    headers: dict = attrs.field(factory=dict)
    body: bytes = b""
    client: str = ""
    tls: bool = False
    status: int | str | None = None
    ours: int | None = None
    looks_at: tuple = ("upstream",)


def asking(port, host, **common):
    """Makes requests to a port, for a host."""

    def ask(path, **words):
        return Request(port, path, **{"host": host, **common, **words})

    return ask


notes = asking("18081", "notes.example:18081")
prefix = asking("18082", "any.example:18082")
order = asking("18083", "order.example:18083")
garden = asking("18084", "garden.example:18084")

REQUESTS = {
    "application": [
        notes("/", status=200),
        notes("/a/b?c=d&e", status=200, headers={"X-Forwarded-For": "203.0.113.9"}, looks_at=(), ours=200),
        notes("/a/b?c=d&e", headers={"Accept-Encoding": "gzip", "Cookie": "a=b"}),
        notes("/", method="POST", body=b"x" * 2048),
        notes("/", method="POST", body=b"x" * 2049, status=413),
        notes("/big/file", method="PUT", body=b"x" * 3000, status=200),
        notes("/big", status=301),
        notes("/ping", status=200),
        notes("/ping/x", status=200),
        notes("/gone", status=410),
        notes("/missing", headers={"X-Answer-Status": "404"}, status=404),
        notes("/", host="other.example:18081", status=200),
        notes("/jump", headers={"X-Answer-Status": "302", "X-Answer-Location": "/elsewhere"}, status=302),
    ],
    "prefixes": [
        prefix("/shop/"), prefix("/shop/x/y?z=1"), prefix("/shop", status=301), prefix("/shopping"),
        prefix("/old-api/users/7"), prefix("/old-api/"), prefix("/loose"), prefix("/loose/x"), prefix("/loosely"),
        prefix("/same/x"), prefix("/joined/y"), prefix("/exact"), prefix("/exact/"), prefix("/exact?q=1"),
        prefix("/user/17/name?full=1"), prefix("/user/17/name"), prefix("/user/x/name"), prefix("/whole/x?y=z"),
        prefix("/%41/b%20c"), prefix("/"), prefix("/shop/a%20b"), prefix("/deep/../up"),
        prefix("/shop/go", headers={"X-Answer-Status": "301", "X-Answer-Location": "/shop/relative"}),
    ],
    "locations": [
        order(path)
        for path in (
            "/", "/index.html", "/images/", "/images", "/images/x", "/images/raw/x.gif", "/images/raw/thumbs/x.gif",
            "/images/raw/thumbs/x", "/images/x.gif", "/images/x.JPEG", "/images/x.png", "/images/one.gif",
            "/images/one.gif/", "/x.gif", "/.git/config", "/.well-known/acme", "/x/.hidden", "/nested/x",
            "/nested/x.json", "/nested/deeper/x", "/nested/deeper/x.json", "/nested/x.gif", "/other.json", "/admin",
            "/admin/x", "/administration", "/manage/x", "/b.txt", "/b.txt/x", "/cat", "/deal", "/xyz?a.gif",
        )
    ] + [order("/admin/x", client="127.0.0.3"), order("/manage", client="127.0.0.3")],
    "redirects": [
        garden("/x?y=1", status=302), garden("/x?y=1", host="www.garden.example:18084", status=301),
        garden("/", host="nobody.example:18084", status="closed", ours=403),
        garden("/feed", host="a.garden.example:18084", status=307),
        garden("/feeds/x", host="blog.other.example:18084", status=307),
        garden("/tag/red?page=2", host="a.b.garden.example:18084", status=301),
        garden("/tag/", host="blog.example:18084"),
        garden("/moved/may/2020?x", host="x.garden.example:18084", status=302),
        garden("/moved/may", host="x.garden.example:18084", status=410),
        garden("/z?q=1", host="x.garden.example:18084", status=303),
        garden("/", host="shop12.example:18084", status=200),
        garden("/", host="shop.example:18084", status="closed", ours=403),
        garden("/", host="market.example:18084"), garden("/", host="a.market.example:18084"),
        garden("/", host="market.example:18084", method="DELETE", status=405),
        garden("/", host="market.example:18084", method="POST", body=b"x"),
        garden("/", host="market.example:18084", headers={"User-Agent": "a NastyBot/1"}, status=403),
        garden("/", host="market.example:18084", headers={"User-Agent": "a nice bot"}, status=200),
        garden("/?debug=1", host="market.example:18084", status=302),
        garden("/?debug=0", host="market.example:18084", status=200),
        garden("/?debug", host="market.example:18084", status=200),
        garden("/", host="market.example:18084", headers={"Cookie": "a=b; old=1"}, status=302),
        garden("/", host="market.example:18084", headers={"Cookie": "old=12"}, status=200),
    ],
}  # fmt: skip
