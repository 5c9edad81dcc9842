"""A TLS server that speaks before it is asked: with the end of its handshake, in the same bytes.

What the end of a handshake is differs. In TLS 1.2 the server finishes last, unless a session is resumed: then it
finishes first, and in TLS 1.3 it always does (RFC 8446 section 2, where such data is that of half a round trip).
"""

import contextlib
import socket
import threading

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

from tests.integration.conftest import DEADLINE

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nasked"
EARLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"
VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
# One whose records are written here by hand.
CIPHER = b"ECDHE-ECDSA-AES128-GCM-SHA256"


def _prf(secret, label, seed, size):
    """RFC 5246 section 5."""

    def digest(data):
        made = hmac.HMAC(secret, hashes.SHA256())
        made.update(data)
        return made.finalize()

    seed, out = label + seed, b""
    step = seed
    while len(out) < size:
        step = digest(step)
        out += digest(step + seed)
    return out[:size]


class EarlyServer:
    """Serves a certificate's files in one ``version``, answers the first ``proper`` connections as one should, and on
    the others says ``early`` before it is asked; if ``first`` is given only so many bytes of that, and the rest after
    what the client sends at the end of its handshake.

    With ``behind``, the first answer keeps the connection, and so many of the early bytes come right behind it, the
    others when there is another request.

    ``asked`` has what it was asked on all of them, ``resumed`` whether their sessions were, and ``asked_at_once`` of
    the proper ones whether the request came in the bytes that ended the handshake for the server.
    """

    def __init__(self, cert, key, version, *, proper=0, early=EARLY, first=None, behind=0):
        self.context = context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(cert)
        context.use_privatekey_file(key)
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])
        context.set_cipher_list(CIPHER)
        context.set_session_id(b"early")
        self.version, self.proper, self.early = version, proper, early
        self.first, self.behind = first, behind
        if not proper:
            # nothing to resume
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            context.set_options(SSL.OP_NO_TICKET)
        self.asked, self.resumed, self.asked_at_once = [], [], []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._end = self._listening
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        """No more."""
        if self._thread.is_alive():
            for one in (self._listening, self._end):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._thread.join()
            self._listening.close()

    def _serve(self):
        while True:
            try:
                end, _ = self._listening.accept()
            except OSError:
                return
            end.settimeout(DEADLINE)
            self._end = end
            number = len(self.asked)
            self.asked.append(b"")
            tls = SSL.Connection(self.context, None)
            tls.set_accept_state()
            with end, contextlib.suppress(OSError):
                if number < self.proper:
                    self._answer(end, tls, number)
                else:
                    self._speak(end, tls, number)

    def _flight(self, tls):
        try:
            return tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def _shake_hands(self, end, tls):
        """Until it is over for the server; the last flight is not sent."""
        while True:
            with contextlib.suppress(SSL.WantReadError):
                tls.do_handshake()
                return
            end.sendall(self._flight(tls))
            tls.bio_write(end.recv(65536))

    def _hear(self, end, tls, number):
        """What the client says; False at its end."""
        while True:
            try:
                self.asked[number] += tls.recv(65536)
                return True
            except SSL.WantReadError:
                data = end.recv(65536)
            except SSL.Error:
                return False
            if not data:
                return False
            tls.bio_write(data)

    def _answer(self, end, tls, number):
        self._shake_hands(end, tls)
        self.resumed.append(bool(SSL._lib.SSL_session_reused(tls._ssl)))
        with contextlib.suppress(SSL.WantReadError):
            self.asked[number] += tls.recv(65536)
        self.asked_at_once.append(bool(self.asked[number]))
        end.sendall(self._flight(tls))
        while b"\r\n\r\n" not in self.asked[number] and self._hear(end, tls, number):
            pass
        if self.behind and not number:
            self._speak_behind(end, tls, number)
            return
        tls.send(ANSWER)
        tls.shutdown()
        end.sendall(self._flight(tls))

    def _speak_behind(self, end, tls, number):
        tls.send(ANSWER.replace(b"Connection: close\r\n", b""))
        answer = self._flight(tls)
        tls.send(self.early)
        said = self._flight(tls)
        end.sendall(answer + said[: self.behind])
        if self._hear(end, tls, number):
            end.sendall(said[self.behind :])

    def _speak(self, end, tls, number):
        # with the flight that ends the handshake for the client
        last, said = self._last_of_1_3(end, tls) if self.version == "1.3" else self._last_of_1_2(end, tls)
        self.resumed.append(bool(SSL._lib.SSL_session_reused(tls._ssl)))
        end.sendall(last + said[: self.first])
        if self.first is not None:
            tls.bio_write(end.recv(65536))
            end.sendall(said[self.first :])
        while self._hear(end, tls, number):
            pass

    def _last_of_1_3(self, end, tls):
        written, buffer = SSL._ffi.new("size_t *"), SSL._ffi.new("char[]", 1)
        flights = b""
        tls.bio_write(end.recv(65536))
        # It says that there is no early data of the client's, and stops behind its own Finished.
        while SSL._lib.SSL_read_early_data(tls._ssl, buffer, 1, written) != 2:
            end.sendall(self._flight(tls))
            tls.bio_write(end.recv(65536))
        flights = self._flight(tls)
        assert SSL._lib.SSL_write_early_data(tls._ssl, self.early, len(self.early), written) == 1
        return flights, self._flight(tls)

    def _last_of_1_2(self, end, tls):
        tls.bio_write(end.recv(65536))
        with contextlib.suppress(SSL.WantReadError):
            tls.do_handshake()
        if SSL._lib.SSL_session_reused(tls._ssl):
            # OpenSSL would not say anything before the client has finished, which another server may.
            return self._flight(tls), self._record_of_1_2(tls)
        self._shake_hands(end, tls)
        last = self._flight(tls)
        tls.send(self.early)
        return last, self._flight(tls)

    def _record_of_1_2(self, tls):
        """The record behind the server's Finished (RFC 5246 sections 6.2.3.3 and 6.3, RFC 5288 section 3)."""
        keys = _prf(tls.master_key(), b"key expansion", tls.server_random() + tls.client_random(), 40)
        key, salt, number = keys[16:32], keys[36:40], (1).to_bytes(8, "big")
        begin = b"\x17\x03\x03"
        sealed = AESGCM(key).encrypt(salt + number, self.early, number + begin + len(self.early).to_bytes(2, "big"))
        return begin + (len(sealed) + 8).to_bytes(2, "big") + number + sealed
