"""What is tried again, where, and how often; and what never is."""

import pytest
from twisted.internet.defer import fail

from txproxy.errors import ConnectionRefused, ConnectTimeout

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
POST = HEAD + b"hello"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def dialed(proxy):
    return [address.host[-1] for address in proxy.network.dialed]


def status(client):
    return int(client.received.split(b" ", 2)[1])


def test_a_sent_request_that_may_be_repeated_goes_to_another_upstream(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    first = proxy.upstream
    first.drop()
    assert dialed(proxy) == ["1", "2"]
    assert proxy.upstream.received.startswith(b"GET /x ")
    proxy.upstream.send(OK)
    assert client.received == OK


def sent(proxy):
    """How often a request was sent."""
    return sum(connection.received.count(b" /x HTTP/1.1\r\n") for connection in proxy.network.connections)


def test_as_often_as_is_set_and_no_more(serve):
    for retries in (0, 1, 2):
        proxy = serve(5, retries=retries)
        client = proxy.connect()
        client.send(GET)
        for _ in range(4):
            if not client.received:
                proxy.upstream.drop()
        assert sent(proxy) == 1 + retries
        assert status(client) == 502


def test_never_the_same_upstream_twice(serve):
    proxy = serve(2, retries=5)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop()
    proxy.upstream.drop()
    assert dialed(proxy) == ["1", "2"]
    assert status(client) == 502


def test_a_slow_upstream_is_given_up_for_another(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.advance(62)
    assert dialed(proxy) == ["1", "2"]
    proxy.advance(62)
    assert status(client) == 504


@pytest.mark.parametrize("cut", range(len(OK) - 2))
def test_what_came_back_counts_from_the_end_of_its_head_on(serve, cut):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK[: cut + 1])
    proxy.upstream.drop()
    assert dialed(proxy) == (["1"] if b"\r\n\r\n" in OK[: cut + 1] else ["1", "2"])


def test_failed_connections_do_not_count_as_retries(serve):
    proxy = serve(4, retries=0)
    proxy.network.script = [ConnectionRefused("1"), ConnectTimeout("2"), ConnectionRefused("3")]
    client = proxy.connect()
    client.send(POST)
    assert dialed(proxy) == ["1", "2", "3", "4"]
    assert proxy.upstream.received.endswith(b"\r\n\r\nhello")
    proxy.upstream.send(OK)
    assert client.received == OK


# Each point at which an upstream can die with a request that must not be sent twice: the number of bytes of the request
# that the client has sent by then, and how the connection ends.
POINTS = [*range(len(HEAD), len(POST) + 1)]


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("end", ["drop", "end", "reset after a byte"])
@pytest.mark.parametrize("sent", POINTS)
def test_a_post_is_never_sent_twice(serve, sent, end, kept):
    proxy = serve(1 if kept else 3, retries=5)
    if kept:
        # a kept-alive connection, which could be stale
        proxy.exchange(GET, OK)
    before = len(proxy.network.connections)
    client = proxy.connect()
    client.send(POST[:sent])
    upstream = proxy.network.connections[-1]
    if end == "reset after a byte":
        upstream.send(b"H")
        upstream.drop()
    else:
        getattr(upstream, end)()
    client.send(POST[sent:])
    proxy.advance(1)
    heads = sum(connection.received.count(b"POST /x ") for connection in proxy.network.connections)
    assert heads == 1
    assert len(proxy.network.connections) <= before + 1
    assert status(client) == 502


@pytest.mark.parametrize("sent", POINTS)
def test_a_post_that_gets_no_answer_in_time_is_not_sent_again(serve, sent):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(POST[:sent])
    client.send(POST[sent:])
    proxy.advance(70)
    assert status(client) == 504
    assert dialed(proxy) == ["1"]


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"LOCK"])
def test_without_a_body_as_well(serve, method):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(GET.replace(b"GET", method))
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]
    assert status(client) == 502


def test_a_put_whose_body_has_begun_is_not_repeated(serve):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]
    assert status(client) == 502


def test_the_budget_keeps_retries_from_multiplying_an_outage(serve):
    proxy = serve(30, retries=1, ejection=None)
    clients = [proxy.connect() for _ in range(30)]
    for client in clients:
        client.send(GET)
    first = list(proxy.network.connections)
    assert len(first) == 30
    for connection in first:
        connection.drop()
    # 20 % of what is under way, at least 3; the others get their 502 at once, for their upstreams take connections
    retried = sent(proxy) - 30
    assert 3 <= retried <= 6
    assert sum(1 for client in clients if client.received) == 30 - retried
    for connection in proxy.network.connections[30:]:
        connection.send(OK)
    assert len(proxy.pool.retries) == 0
    assert all(upstream.active == 0 for upstream in proxy.pool.upstreams)


def load(proxy, clients=40, request=GET):
    """So many clients, each with a request under way on a connection of its own."""
    made = [proxy.connect() for _ in range(clients)]
    for client in made:
        client.send(request)
    return made


def at(proxy, digit):
    return [connection for connection in proxy.network.connections if connection.address.host[-1] == digit]


def refuse(proxy, *digits):
    """These upstreams take no connections any more."""
    dial = proxy.network.dial

    def dial_the_living(address, build):
        if address.host[-1] in digits:
            proxy.network.dialed.append(address)
            return fail(ConnectionRefused("no"))
        return dial(address, build)

    proxy.network.dial = dial_the_living


def kill(proxy, *digits):
    """These upstreams die, with all that they have."""
    refuse(proxy, *digits)
    for digit in digits:
        for connection in at(proxy, digit):
            connection.drop()


def test_what_the_dead_had_goes_elsewhere_whatever_the_budget(serve):
    proxy = serve(6)
    clients = load(proxy, 60)
    kill(proxy, "1", "3", "5")
    for digit in "246":
        for connection in at(proxy, digit):
            connection.send(OK)
    assert [client.received for client in clients] == [OK] * 60
    assert len(proxy.pool.retries) == 0
    assert all(upstream.active == 0 for upstream in proxy.pool.upstreams)


@pytest.mark.parametrize(("request_", "retries"), [(GET, 0), (POST, 5)])
def test_but_no_oftener_than_is_set_and_nothing_that_must_not_be_repeated(serve, request_, retries):
    proxy = serve(2, retries=retries)
    clients = load(proxy, 40, request_)
    kill(proxy, "1")
    assert [status(client) for client in clients if client.received] == [502] * 20
    assert sent(proxy) == 40


def test_upstreams_that_die_one_after_the_other_with_the_same_request_are_not_its_end(serve):
    proxy = serve(6)
    client = proxy.connect()
    client.send(GET)
    for digit in "123":
        kill(proxy, digit)
        assert not client.received
    proxy.upstream.send(OK)
    assert client.received == OK and sent(proxy) == 4


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
def test_but_a_request_that_kills_upstreams_does_not_get_them_all(serve, kept):
    proxy = serve(10)
    if kept:
        for _ in range(10):
            proxy.exchange(GET, OK)
    before = sent(proxy)
    client = proxy.connect()
    client.send(GET)
    for digit in "1234567890":
        refuse(proxy, digit)
        for connection in at(proxy, digit):
            if not client.received:
                connection.drop()
    assert sent(proxy) - before == 4
    assert status(client) == 502


def test_many_knock_at_once_and_one_goes(serve):
    proxy = serve(2)
    clients = load(proxy, 40)
    proxy.network.script = [None] * 8 + ["hang"]
    for connection in at(proxy, "1"):
        connection.drop()
    # 8 of 20 within the budget of 40; one connection for all the others
    assert dialed(proxy)[40:] == ["2"] * 8 + ["1"]
    clients[-2].drop()
    waiting, _, _ = proxy.network.hanging.pop()
    assert not any(client.received for client in clients)
    waiting.errback(ConnectionRefused("no"))
    assert dialed(proxy)[49:] == ["2"] * 11
    for connection in at(proxy, "2"):
        connection.send(OK)
    assert sum(client.received == OK for client in clients) == 39


def test_a_knock_that_nobody_waits_for_is_given_up(serve):
    proxy = serve(2)
    clients = load(proxy, 40)
    proxy.network.script = [None] * 8 + ["hang"]
    for connection in at(proxy, "1"):
        connection.drop()
    assert not proxy.network.hanging[0][0].called
    for client in clients:
        client.drop()
    assert proxy.network.hanging[0][0].called


def test_an_upstream_that_is_slow_is_not_asked_whether_it_is_there(serve):
    proxy = serve(2)
    clients = load(proxy, 40)
    for connection in at(proxy, "2"):
        connection.send(OK)
    proxy.advance(62)
    assert "1" not in dialed(proxy)[40:]
    lost = [status(client) for client in clients if client.received and client.received != OK]
    assert set(lost) == {504} and len(lost) > 10


def test_a_kept_connection_to_each_of_many_dead_is_no_reason_to_give_up(serve):
    proxy = serve(4, retries=0)
    for _ in range(4):
        proxy.exchange(GET, OK)
    kept = list(proxy.network.connections)
    client = proxy.connect()
    client.send(GET)
    refuse(proxy, "1", "2", "3")
    for connection in kept[:3]:
        # Each of them looks alive until it is used.
        assert connection.received.count(b"GET ") == 2
        connection.drop()
    assert dialed(proxy)[4:] == ["1", "2", "3"]
    kept[3].send(OK)
    assert client.received == OK


def test_a_retry_counts_until_it_has_ended(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop()
    assert len(proxy.pool.retries) == 1
    client.drop()
    assert len(proxy.pool.retries) == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\nbegun", b"HTTP/1.1 101 X\r\nUpgrade: w\r\n\r\nhi"])
def test_a_retry_that_is_answered_costs_the_budget_nothing_however_long_it_lasts(serve, answer):
    proxy = serve(2)
    clients = []
    for _ in range(5):
        clients.append(client := proxy.connect())
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n"))
        proxy.upstream.drop()
        assert len(proxy.pool.retries) == 1
        proxy.upstream.send(answer)
        assert len(proxy.pool.retries) == 0
    assert sum(upstream.active for upstream in proxy.pool.upstreams) == 5
    for client in clients:
        client.drop()
    assert len(proxy.pool.retries) == sum(upstream.active for upstream in proxy.pool.upstreams) == 0


# -- backups


WITH_BACKUPS = ["http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.8;backup", "http://10.0.0.9;backup;max=1"]


@pytest.mark.parametrize("strategy", ["round-robin", "least-connections", "uri-hash", "first"])
def test_a_request_that_has_tried_all_primaries_goes_on_to_the_backups(serve, strategy):
    proxy = serve(WITH_BACKUPS, strategy, ejection=None)
    proxy.network.script = [ConnectionRefused("no")] * 2
    client = proxy.connect()
    client.send(GET)
    assert sorted(dialed(proxy)[:2]) == ["1", "2"] and dialed(proxy)[2:] == ["8"]
    proxy.upstream.send(OK)
    assert client.received == OK
    # The next one is for the primaries again, as long as nobody says that they are down.
    proxy.connect().send(GET)
    assert dialed(proxy)[-1] in "12"


def test_backups_are_tried_one_after_the_other_and_then_it_is_over(serve):
    proxy = serve(WITH_BACKUPS, ejection=None)
    proxy.network.script = [ConnectionRefused("no")] * 4
    client = proxy.connect()
    client.send(GET)
    assert sorted(dialed(proxy)) == ["1", "2", "8", "9"]
    assert status(client) == 503
    assert [upstream.active for upstream in proxy.pool.upstreams] == [0] * 4


@pytest.mark.parametrize("retries", [1, 2])
def test_what_was_sent_goes_on_to_the_backups_within_its_retries(serve, retries):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.9;backup"], retries=retries, ejection=None)
    client = proxy.connect()
    client.send(GET)
    for _ in range(2):
        proxy.upstream.drop()
    if retries == 2:
        proxy.upstream.send(OK)
        assert proxy.upstream.address.host == "10.0.0.9" and client.received == OK
    else:
        assert status(client) == 502


def test_a_primary_that_is_full_is_waited_for_before_a_backup_is_asked(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2;max=1", "http://10.0.0.9;backup"], ejection=None)
    first, second, third = proxy.connect(), proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    proxy.network.script = [ConnectionRefused("no")]
    third.send(GET)
    assert dialed(proxy) == ["1", "2", "1"] and proxy.pool.waiting == 1
    proxy.network.connections[1].send(OK)
    assert proxy.pool.waiting == 0 and not third.received
    assert proxy.network.connections[1].received.count(b"GET ") == 2


def test_a_backup_that_is_full_is_waited_for_by_those_who_need_it_alone(serve):
    proxy = serve(["http://10.0.0.1;max=1", "http://10.0.0.9;backup;max=1"], ejection=None)

    def ask_and_be_refused():
        client = proxy.connect()
        proxy.network.script = [ConnectionRefused("no")]
        client.send(GET)
        return client

    one, other = ask_and_be_refused(), ask_and_be_refused()
    assert dialed(proxy) == ["1", "9", "1"] and proxy.pool.waiting == 1
    primary, third = proxy.connect(), proxy.connect()
    primary.send(GET)
    third.send(GET)
    assert dialed(proxy)[3:] == ["1"] and proxy.pool.waiting == 2
    backup = proxy.network.connections[0]
    backup.send(OK)
    assert one.received == OK and backup.received.count(b"GET ") == 2 and proxy.pool.waiting == 1
    backup.send(OK)
    assert other.received == OK and proxy.pool.waiting == 1, "who has tried nobody waits for the primary"
    proxy.network.connections[1].send(OK)
    assert proxy.network.connections[1].received.count(b"GET ") == 2 and not third.received


@pytest.mark.parametrize("why", ["checks", "disabled", "drained"])
def test_a_backup_that_is_not_fit_is_no_resort(serve, why):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.9;backup"], ejection=None)
    backup = proxy.pool.upstreams[1]
    if why == "checks":
        backup.checked(False, "no answer")
    elif why == "disabled":
        proxy.pool.disable(backup)
    else:
        proxy.pool.drain(backup)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert dialed(proxy) == ["1"] and status(client) == 503


BEGUN = [
    b"H",
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n",
    b"HTTP/1.1 103 X\r\n\r\nHTTP",
]


@pytest.mark.parametrize("begun", BEGUN)
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("clean", [False, True])
def test_a_head_that_breaks_off_is_no_answer_yet(serve, begun, kept, clean):
    proxy = serve(2)
    client = proxy.connect()
    if kept:
        client.send(GET)
        proxy.upstream.send(OK)
        client.send(GET)
        proxy.upstream.send(OK)
        client.take()
    client.send(GET)
    broken = proxy.network.connections[0]
    broken.send(begun)
    client.take()
    broken.drop(clean=clean)
    other = proxy.network.connections[1]
    assert dialed(proxy) == ["1", "2"] and other.received.startswith(b"GET /x ")
    other.send(OK)
    assert client.received == OK


def test_a_head_that_never_ends_is_none_either(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(BEGUN[1])
    proxy.advance(62)
    assert dialed(proxy) == ["1", "2"]
    proxy.upstream.send(OK)
    assert client.received == OK


@pytest.mark.parametrize(
    ("request_bytes", "response"),
    [
        (POST, BEGUN[1]),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"),
        (GET, b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n"),
    ],
)
def test_what_may_not_be_repeated_or_has_been_answered_is_not_asked_again(serve, request_bytes, response):
    proxy = serve(2)
    client = proxy.connect()
    client.send(request_bytes)
    proxy.upstream.send(response)
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]
    assert client.received
