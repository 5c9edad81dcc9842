"""What is asked of nginx and of the translation of each file in ``nginx_files``."""

import attrs


@attrs.frozen
class Request:
    """A request; ``status`` is what nginx has to answer, where that says something, and ``ours`` what is answered here
    where it is not the same. ``looks_at`` are ``upstream`` (which one), ``number`` (which of its answers: whether it
    was asked at all) and ``files`` (bodies of errors). With ``h2`` it is made in HTTP/2.
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
    h2: bool = False


def asking(port, host, **common):
    """Makes requests to a port, for a host."""

    def ask(path, **words):
        return Request(port, path, **{"host": host, **common, **words})

    return ask


notes = asking("18081", "notes.example:18081")
prefix = asking("18082", "any.example:18082")
order = asking("18083", "order.example:18083")
garden = asking("18084", "garden.example:18084")
talk = asking("18085", "talk.example:18085", looks_at=())
rpc = asking("18086", "rpc.example:18086", h2=True)
turns = asking("18087", "any.example:18087")
kept = asking("18088", "any.example:18088")
often = asking("18089", "any.example:18089")
plain = asking("18090", "localhost:18090")
secured = asking("18091", "localhost:18091", tls=True)
forge = asking("18092", "code.example:18092")
private = asking("18093", "in.example:18093")
pages = asking("18094", "pages.example:18094")
moved = asking("18094", "moved.example:18094")

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
BOB, EVE = {"Authorization": "Basic Ym9iOnNlc2FtZQ=="}, {"Authorization": "Basic ZXZlOnNlc2FtZQ=="}

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
        notes("/v0/file?x=y", status=200),
        notes("/v0/file/x", status=404),
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
    "websockets": [
        talk("/"), talk("/socket"), talk("/socket/1?x=y", headers=UPGRADE),
        talk("/api/x"), talk("/api/x", headers=UPGRADE), talk("/api"), talk("/sockets"),
    ],
    "grpc": [
        rpc("/pack.Greeter/Hello", method="POST", status=200), rpc("/pack.Admin/Stop", status=404),
        rpc("/pack.Other/Named", method="POST", status=200), rpc("/", status=200), rpc("/pack.Greeter", status=301),
    ],
    "balancing": [turns("/turns", status=200) for _ in range(8)] + [
        turns("/last", status=200), turns("/last", status=200), turns("/last", method="POST", body=b"x", status=200),
        turns("/off", status=200), turns("/off", status=200), turns("/nobody", status=502, ours=503),
        turns("/x", status=200),
    ],
    "caching": [
        kept(path, headers=dict(headers), looks_at=("upstream", "number"))
        for path, headers in (
            ("/a", {}), ("/a", {}), ("/a?b", {}), ("/a?b", {}), ("/a", {"X-Fresh": "1"}),
            ("/a", {"Cookie": "session=1"}),
            ("/b", {"X-Fresh": "1"}), ("/b", {}), ("/b", {}), ("/c", {"X-Fresh": "0"}), ("/c", {}),
            ("/none", {"X-Answer-Status": "404"}), ("/none", {}), ("/ill", {"X-Answer-Status": "500"}), ("/ill", {}),
            ("/plain", {}), ("/plain", {}), ("/short", {}), ("/short", {}), ("/never", {}), ("/never", {}),
            ("/said", {"X-Answer-Cache-Control": "max-age=60"}), ("/said", {}), ("/said2", {}), ("/said2", {}),
            ("/mine", {"X-Answer-Cache-Control": "private"}), ("/mine", {}),
            ("/crumb", {"X-Answer-Set-Cookie": "a=b"}), ("/crumb", {}),
        )
    ],
    "limits": [
        often("/once", status=200), often("/once", status=429), often("/once/2", status=429), often("/x", status=200),
        often("/once", client="127.0.0.2", status=200), often("/once", client="127.0.0.2", status=429),
        *[often("/burst", headers={"X-Key": "a"}, status=200) for _ in range(4)],
        often("/burst", headers={"X-Key": "a"}, status=503), often("/burst", headers={"X-Key": "b"}, status=200),
        often("/few", status=200), often("/", method="POST", body=b"x" * 101, status=413),
        often("/few", method="POST", body=b"x" * 101, status=200),
    ],
    "secured": [
        plain("/x?y", status=301), secured("/", status=200), secured("/docs/", status=200),
        secured("/docs", status=301),
        secured("/style.css", status=200), secured("/.secret", status=403), secured("/docs/.git/config", status=403),
        secured("/none", status=404), secured("/app/x?y=1", status=200), secured("/app/.hidden", status=200),
        secured("/app", status=301), secured("/down", status=502, ours=503), secured("/50x.html", status=404),
        secured("/", method="HEAD", status=200),
    ],
    "forge": [
        forge("/", status=200), forge("/assets/app.js", status=200),
        forge("/me/code.git/info/refs?service=x", status=200),
        forge("/me/code.git/git-receive-pack", method="POST", body=b"x" * 5000, status=200),
        forge("/me/code/other", method="POST", body=b"x" * 5000, status=413), forge("/api/v4/uploads/1", status=200),
        forge("/-/health", status=204), forge("/-/metrics", status=403),
        forge("/-/metrics/x", client="127.0.0.3", status=200), forge("/.well-known/calendar", status=301),
        forge("/.well-known/x", status=404), forge("/config", status=404), forge("/config/x", status=404),
        forge("/configure", status=200), forge("/data", status=404),
        forge("/go", headers={"X-Answer-Status": "302", "X-Answer-Location": "http://else.example/"}, status=302),
    ],
    "private": [
        private("/", status=401), private("/", headers=BOB, status=200), private("/", headers=EVE, status=401),
        private("/open/", status=200), private("/open/", headers={"User-Agent": "A Crawler"}, status=429),
        private("/open/", headers={"User-Agent": "Old Reader"}, status=429), private("/either/", status=401),
        private("/either/", client="127.0.0.3", status=200), private("/either/", headers=BOB, status=200),
        private("/house/", status=403), private("/house/", client="127.0.0.3", status=200),
        private("/seen/", headers={"X-Forwarded-For": "192.0.2.9"}, status=403),
        private("/seen/", client="127.0.0.5", headers={"X-Forwarded-For": "192.0.2.9"}, status=200),
        private("/seen/", client="127.0.0.5", headers={"X-Forwarded-For": "192.0.2.9, 198.51.100.1"}, status=403),
        private("/office/", status=403), private("/office/", client="127.0.0.4", status=200),
        private("/ask", status=404),
        private("/asked/", status=401), private("/asked/x", headers={"X-Pass": "let me in"}, status=200),
    ],
    "falling_back": [
        pages("/", status=200), pages("/index.html", status=200), pages("/style.css", status=200),
        pages("/docs/", status=200), pages("/docs", status=301), pages("/docs/none", status=200),
        pages("/no/such/file?x=y", status=200), pages("/none.css", status=404),
        pages("/app/x?y=z", status=200), pages("/app", method="POST", body=b"x", status=200),
        pages("/app/ill", headers={"X-Answer-Status": "500"}, status=500), pages("/gone/x", status=410),
        pages("/page/x", status=200), pages("/to/x?y=z", status=200), pages("/", method="HEAD", status=200),
        *[
            moved("/x", status=302, headers={"X-Answer-Status": "302", "X-Answer-Location": location})
            for location in (
                "http://old.example/two/x?y", "http://old.example/three", "https://a.old.example/b/c",
                "http://plain.example/x", "http://else.example/", "/two/x",
            )
        ],
        *[
            moved("/", headers={"X-Answer-Set-Cookie": cookie}, status=200)
            for cookie in (
                "a=1", "a=1; Path=/two/x", "a=1; path=/other", "crumb=1", "crumb=1; Path=/; Secure", "b=1; HttpOnly",
                "bc=1; Path=/",
            )
        ],
        moved("/flags/", headers={"X-Answer-Set-Cookie": "a=1; Path=/"}, status=200),
        moved("/none", headers={"X-Answer-Status": "404"}, status=404),
        moved("/made", headers={"X-Answer-Status": "201"}, status=201),
        moved("/expiring/x", status=200), moved("/expiring/x", headers={"X-Answer-Status": "404"}, status=404),
    ],
}  # fmt: skip
