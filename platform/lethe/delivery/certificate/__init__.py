"""The certificate of a delivery: what was asked for, done, tested and found, in a sealed file and a page."""

from typing import TYPE_CHECKING

from lethe.lazy import loading

if TYPE_CHECKING:
    from lethe.delivery.certificate._document import Certificate, Content, certificate_schema
    from lethe.delivery.certificate._page import render_certificate
    from lethe.delivery.certificate._register import certified, names_requester
    from lethe.delivery.certificate._verify import CERTIFICATE, Check, Claims, Verified, verify
    from lethe.delivery.certificate._write import write_certificate
else:
    # Writing takes torch; verifying takes none, and runs where only the delivery is.
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.delivery.certificate._document": ("Certificate", "Content", "certificate_schema"),
            "lethe.delivery.certificate._page": ("render_certificate",),
            "lethe.delivery.certificate._register": ("certified", "names_requester"),
            "lethe.delivery.certificate._verify": ("CERTIFICATE", "Check", "Claims", "Verified", "verify"),
            "lethe.delivery.certificate._write": ("write_certificate",),
        },
    )

__all__ = [
    "CERTIFICATE",
    "Certificate",
    "Check",
    "Claims",
    "Content",
    "Verified",
    "certificate_schema",
    "certified",
    "names_requester",
    "render_certificate",
    "verify",
    "write_certificate",
]
