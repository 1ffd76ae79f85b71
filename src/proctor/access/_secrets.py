"""How secrets are made and compared.

Each has 256 bits from the system's source of randomness: nobody guesses them, so a plain SHA-256 keeps them
as safe as a slow hash would, which is for what people think up. It costs microseconds at each request.
"""

import hashlib
import hmac
import secrets

BYTES = 32


def new_secret() -> str:
    """A fresh secret of 256 bits, in 43 characters that fit into headers and addresses."""
    return secrets.token_urlsafe(BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a secret, and what it is found by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(digest: str, other: str) -> bool:
    """Whether two hashes are the same; how long that takes says nothing of where they differ."""
    return hmac.compare_digest(digest, other)
