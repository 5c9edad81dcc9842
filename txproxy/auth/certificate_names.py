"""Who a client is by its certificate, which TLS has verified already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL.crypto import X509

from txproxy.errors import ConfigError

FIELDS: Final = ("cn", "email", "uid", "subject")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_OIDS: Final = {"cn": NameOID.COMMON_NAME, "uid": NameOID.USER_ID}


class CertificateNames:
    """Finds the user in a client's certificate.

    ``field`` says where: ``cn`` or ``uid`` of the subject, ``email`` of the alternative names, or ``subject``, the
    whole of it as in RFC 4514 (``CN=bob,O=example``). With ``users``, which maps what is there to names of users,
    others than those are nobody; without, what is there is the name.
    """

    def __init__(self, field: str = "cn", users: Mapping[str, str] | None = None) -> None:
        if field not in FIELDS:
            raise ConfigError(
                f"{field!r} is no part of a certificate that names a user", f"accepted: {', '.join(FIELDS)}"
            )
        self._field = field
        self._users = users

    def user(self, certificate: X509 | x509.Certificate) -> str | None:
        """The user's name, or None if the certificate names none, or more than one."""
        if isinstance(certificate, X509):
            certificate = certificate.to_cryptography()
        try:
            found = self._values(certificate)
        except ValueError:
            # What a CA has signed need not be well formed.
            return None
        if len(found) != 1 or not found[0] or _CONTROL.search(found[0]):
            return None
        return found[0] if self._users is None else self._users.get(found[0])

    def _values(self, certificate: x509.Certificate) -> list[str]:
        if self._field == "subject":
            return [certificate.subject.rfc4514_string()]
        if self._field == "email":
            try:
                names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            except x509.ExtensionNotFound:
                return []
            return names.value.get_values_for_type(x509.RFC822Name)
        return [str(entry.value) for entry in certificate.subject.get_attributes_for_oid(_OIDS[self._field])]
