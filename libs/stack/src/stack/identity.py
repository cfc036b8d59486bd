"""Who may call a local stack: its own signing key, three persons with roles, and tokens for them."""

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "closeloop-local"
AUDIENCE = "closeloop"
TENANT = "meridian"
ALGORITHM = "ES256"
DAY_SECONDS = 24 * 60 * 60

# The persons of a local stack, and the roles that their tokens carry unless told otherwise.
PERSONS: dict[str, tuple[str, ...]] = {
    "p-okafor": ("audit-programme-manager",),
    "p-weiss": ("auditor",),
    "p-ruiz": ("service-level-manager",),
}


@dataclass(frozen=True)
class Identity:
    """The key of one stack, in its data folder: only its owner reads it, only `jwks` is given to the services."""

    folder: Path

    @property
    def jwks(self) -> Path:
        return self.folder / "jwks.json"

    @property
    def _key_file(self) -> Path:
        return self.folder / "key.pem"

    def ensure(self) -> "Identity":
        """Make the key, and what is published of it, when they are missing."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._key_file.exists():
            _write_whole(self._key_file, _new_key())
        if not self.jwks.exists():
            _write_whole(self.jwks, json.dumps({"keys": [self._public_key()]}, indent=2).encode())
        return self

    def mint(self, person: str, roles: Sequence[str] = (), tenant: str = TENANT, lifetime: int = DAY_SECONDS) -> str:
        """A token for that person; without roles it carries those of the table above."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person,
            "tenant": tenant,
            "roles": list(roles or PERSONS.get(person, ())),
            "iat": now,
            "exp": now + lifetime,
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(claims, self._key(), ALGORITHM, headers={"kid": self._public_key()["kid"]})

    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), f"{self._key_file} holds another kind of key"
        return key

    def _public_key(self) -> dict[str, Any]:
        key: dict[str, Any] = ECAlgorithm.to_jwk(self._key().public_key(), as_dict=True)
        fingerprint = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        return {**key, "kid": fingerprint, "use": "sig", "alg": ALGORITHM}


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_whole(file: Path, content: bytes) -> None:
    """Never half written, and at no moment readable by anybody else."""
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as private:
        private.write(content)
    unfinished.rename(file)
