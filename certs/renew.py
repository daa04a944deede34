"""The next certificates: what `certs.policy` asks for, made. Pure but for the new keys.

Called by `certs.rotate` again and again; makes nothing while all is well. A new authority is trusted first
and signs later, so that no client ever meets a certificate whose authority it does not know:

    authority near expiry ─► new one leads, old one stays trusted ─► published for a while ─► new leaf
                                                                         old one expires ─► no longer trusted
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certs.authority import Subject, issue, make_authority
from certs.bundle import Bundle, certificates_in, joined
from certs.policy import CAN_WAIT, Reason, authority_reason, leaf_reason, names

AUTHORITY_LIFETIME = timedelta(days=90)
LEAF_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The certificates from now on, and why any of them is new."""

    bundle: Bundle
    authority: Reason | None = None
    leaf: Reason | None = None


def renewed(
    bundle: Bundle, hosts: Sequence[str], now: datetime, published: Callable[[bytes], bool]
) -> Renewal:
    """The certificates for `hosts` from now on.

    `published` tells whether clients have known an authority (PEM) for long enough to trust what it signs.
    """
    authority = authority_reason(bundle, now)
    if authority:
        # Each has a name of its own, or clients could not tell the old one from the new one.
        name = f"pinfeather {now:%Y-%m-%d} {secrets.token_hex(4)}"
        bundle = bundle.led_by(make_authority(name, now=now, lifetime=AUTHORITY_LIFETIME))
    bundle = replace(bundle, authorities=joined(bundle.authorities, b"", now))
    leaf = leaf_reason(bundle, now, hosts)
    if leaf is None or (leaf in CAN_WAIT and not published(bundle.signer.certificate)):
        return Renewal(bundle, authority)
    wanted = set(hosts)
    if leaf is Reason.WRONG_NAMES:
        # Replicas of two versions that want different names agree on all of them.
        wanted |= names(certificates_in(bundle.leaf.certificate)[0])
    subject = Subject(hosts[0], hosts=sorted(wanted))
    return Renewal(
        replace(bundle, leaf=issue(bundle.signer, subject, now=now, lifetime=LEAF_LIFETIME)), authority, leaf
    )
