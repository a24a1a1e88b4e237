"""Signed, expiring tokens: they say which person works on which project, for the routes that serve the grid."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

LIFETIME = timedelta(hours=12)


class TokenError(Exception):
    """A token is missing, forged, for another project or too old."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token vouches for; `expires` is in whole seconds since 1970, UTC."""

    project: str
    annotator: str
    expires: int


def sign(project: str, annotator: str, *, secret: bytes, now: datetime) -> str:
    """A token for this person on this project; the same one within an hour, so that pages do not change for it."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    claim = Claim(project, annotator, int((hour + LIFETIME).timestamp()))
    body = base64.urlsafe_b64encode(json.dumps(asdict(claim)).encode()).decode()
    return f"{body}.{_signature(body, secret)}"


def verify(token: str, project: str, *, secret: bytes, now: datetime) -> Claim:
    """The claim of a token that this server signed for this project; raises TokenError saying what is wrong."""
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body, secret).encode()):
        raise TokenError("The page is not signed in to this server. Reload it.")
    try:
        claim = Claim(**json.loads(base64.urlsafe_b64decode(body)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise TokenError("The page's token cannot be read. Reload it.") from error
    if claim.project != project:
        raise TokenError("The page belongs to another project. Reload it.")
    if claim.expires <= now.timestamp():
        raise TokenError("The page has been open for too long. Reload it.")
    return claim


def _signature(body: str, secret: bytes) -> str:
    return hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
