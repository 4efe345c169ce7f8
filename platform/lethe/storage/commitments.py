"""Commitments: a certificate says who asked, and for which list, to those alone who can open what it says.

A name or a list of a few positions can be tried one by one, so its hash hides nothing. A commitment is an HMAC-SHA256
under 32 random bytes, the salt, which stay with the results. Whoever has salt and name can show that they belong to
the certificate; nobody else learns anything from it.
"""

import hmac
import secrets
from typing import Annotated, Final, Literal

from pydantic import Field

from lethe.storage.documents import Document

OPENING_LIMIT_BYTES: Final = 1 << 16


class Opening(Document):
    """What opens the commitments of one certificate; it belongs to whoever keeps the results."""

    document: Literal["lethe opening"] = "lethe opening"
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @classmethod
    def new(cls) -> "Opening":
        """Draw a salt."""
        return cls(salt=secrets.token_hex(32))

    def of_requester(self, name: str) -> str:
        """Return the commitment to who asked."""
        return self._commit("requester", name)

    def of_list(self, positions_sha256: str) -> str:
        """Return the commitment to a list.

        Args:
            positions_sha256: hash of the positions of its images in train (`Subset.hash`).
        """
        return self._commit("list", positions_sha256)

    def _commit(self, what: str, text: str) -> str:
        return hmac.digest(bytes.fromhex(self.salt), f"{what}\n{text}".encode(), "sha256").hex()
