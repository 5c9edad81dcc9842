"""Requests to a forward proxy, and who may have sent them."""

import base64

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.auth.credentials import User
from txproxy.forward.access.rules import Rule

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


GET = b"GET http://www.example.com/x?y HTTP/1.1\r\nHost: www.example.com\r\n\r\n"


CONNECT = b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n"


STANDS = b"HTTP/1.1 200 Connection established\r\n\r\n"


def get(url, *lines):
    host = url.split(b"/")[2]
    return b"\r\n".join([b"GET " + url + b" HTTP/1.1", b"Host: " + host, *lines, b"", b""])


def said(request, *lines):
    """The same request, with more lines."""
    return request[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def login(name, password="right"):
    return b"Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode())


def passwords(name, password):
    groups = frozenset({"staff"}) if name == "alice" else frozenset()
    return User(name, groups) if password == b"right" else None


AUTH = AuthPolicy(passwords=passwords)


def status(received):
    return int(received.split(b" ", 2)[1]) if received else None


def again(client, proxy, request=GET, response=OK):
    """The status that one more request gets."""
    before = len(client.received)
    client.send(request)
    if len(client.received) == before:
        proxy.upstream.send(response)
    return status(client.received[before:])


# rules that ask a person
PEOPLE = [Rule(name="people", action="ask", hosts="www.example.com"), Rule(action="allow")]
