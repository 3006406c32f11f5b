"""How does m2s prove to a push provider who it is? Private keys from files, and tokens signed with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from m2s.core.base.errors import Invalid


class Signer:
    """A private key that signs JSON web tokens: ES256 by an elliptic curve, RS256 by RSA."""

    def __init__(self, pem: str, *, algorithm: Literal["ES256", "RS256"], key_id: str, where: str) -> None:
        """Raises Invalid, which names `where` and never the key, for what is no private key of the kind."""
        # Here and not above: commands that send nothing need not wait for it.
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise Invalid(f"{where}: it holds no private key in PEM without a password") from error
        if algorithm == "ES256" and not (
            isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
        ):
            raise Invalid(
                f"{where}: it holds a key of another kind; Apple's are P-256 keys in a file AuthKey_….p8"
            )
        if algorithm == "RS256" and not isinstance(key, RSAPrivateKey):
            raise Invalid(f"{where}: it holds a key of another kind; Google's are RSA keys in a JSON file")
        self._key: Any = key
        self._algorithm = algorithm
        self._key_id = key_id

    def token(self, claims: Mapping[str, Any]) -> str:
        """The signed token."""
        import jwt

        return jwt.encode(dict(claims), self._key, algorithm=self._algorithm, headers={"kid": self._key_id})


def file_text(path: Path, where: str) -> str:
    """What a file of the settings holds. Raises Invalid where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Invalid(f"{where}: {path} cannot be read: {reason}") from error
