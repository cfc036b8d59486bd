"""What a process is told from outside: `CLOSELOOP_*` variables; `CLOSELOOP_<NAME>_FILE` reads the value from a file."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "CLOSELOOP_"
DRIVER = "postgresql+asyncpg://"


class Settings(BaseSettings):
    """The settings of one process of one service."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    service: str = ""
    database_url: SecretStr
    nats_url: SecretStr = SecretStr("")
    """Without it, nothing is announced and nothing heard, and `/readyz` says so."""
    consume: bool = True
    """`off`: this process announces but does not listen, and `/readyz` says so."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)

    jwks: str = ""
    """Public keys of those who issue tokens: a file, or an http(s) URL."""
    issuer: str = ""
    audience: str = ""

    clock_start: AwareDatetime | None = None
    """For throwaway stacks only: business time begins here and can be moved forward."""
    env: Literal["production", "test"] = "production"
    failpoint: str = ""

    max_body: int = Field(default=1024 * 1024, gt=0)
    receive_seconds: float = Field(default=10.0, gt=0)
    max_connections: int = Field(default=1000, gt=0)

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, url: SecretStr) -> SecretStr:
        scheme, separator, rest = url.get_secret_value().partition("://")
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
            raise ValueError("must look like postgresql://user:password@host/database")
        return SecretStr(DRIVER + rest)

    @model_validator(mode="after")
    def _refuse_what_is_unsafe(self) -> Self:
        if not is_loopback(self.host) and not (self.jwks and self.issuer and self.audience):
            raise ValueError(
                f"{PREFIX}HOST={self.host} can be reached from outside: "
                f"set {PREFIX}JWKS, {PREFIX}ISSUER and {PREFIX}AUDIENCE first"
            )
        if self.failpoint and self.env != "test":
            raise ValueError(f"{PREFIX}FAILPOINT is for tests: it is refused unless {PREFIX}ENV=test")
        return self

    @property
    def database(self) -> str:
        return self.database_url.get_secret_value()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _from_files(cls.model_fields))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _from_files(names: object) -> dict[str, str]:
    """Secrets are better kept in files than in an environment that every child process inherits."""
    files = {name: os.environ.get(f"{PREFIX}{name.upper()}_FILE") for name in names}  # type: ignore[attr-defined]
    return {name: Path(file).read_text().strip() for name, file in files.items() if file}
