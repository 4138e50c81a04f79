"""Settings of every process: read once at start from CELLSTORM_* variables, frozen, refused when wrong."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cellstorm.errors import InvalidSetting, in_words
from cellstorm.host_names import ascii_url

MIB = 2**20
_ALIKE: Final = 0.8
"""A variable that is so like a setting, of 1 at most, is a misspelt one; others may be compose's, or somebody's own."""


def _default_data() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "cellstorm"


class Settings(BaseSettings):
    """Each field is the variable CELLSTORM_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="CELLSTORM_", frozen=True, extra="ignore", env_ignore_empty=True)

    data: Path = Field(default_factory=_default_data, description="Everything that is kept lies below this directory.")
    host: str = Field(default="127.0.0.1", description="Address on which the gateway serves plain HTTP.")
    port: int = Field(default=8000, ge=0, le=65535)
    https_host: str = Field(default="0.0.0.0", description="Address on which it serves HTTPS.")  # noqa: S104  # phones
    https_port: int | None = Field(
        default=None, ge=0, le=65535, description="Of HTTPS, for other devices; none is served where this is not set."
    )
    tls_certificate: Path | None = Field(
        default=None, description="A certificate of one's own, PEM, with those between it and its authority."
    )
    tls_key: Path | None = Field(default=None, description="Its key, PEM, without a password.")
    public_url: str | None = Field(
        default=None, description="Under which phones reach the gateway, where a proxy stands before it."
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="redis://, rediss:// or unix:// address.",
    )
    admin_token: str | None = Field(
        default=None, min_length=16, description="Made at the first start where none is given."
    )
    log_format: Literal["console", "json"] = "console"

    model: str = Field(default="default", description="Generator of an acquisition that names none.")
    live_model: str = Field(
        default="fast",
        description="Generator that the page films with unless another is chosen, and of what other encoders publish; where the zoo "
        "has none of that name, `model`. With a GPU: default.",
    )
    zoo: Path | None = Field(
        default=None, description="Folder of generators; by default those that come with cellSTORM."
    )
    page: Path | None = Field(
        default=None, description="Folder of the built page; by default the one that comes with cellSTORM."
    )
    provider: Literal["cpu", "cuda"] = Field(
        default="cpu", description="What workers run generators on; never falls back."
    )
    threads: int = Field(default=0, ge=0, description="Per worker, for inference; 0 leaves the choice to the runtime.")

    max_sessions: int = Field(default=40, gt=0, description="Phones received at once by this gateway.")
    start_bitrate_kbps: int = Field(
        default=6000, gt=0, description="A browser otherwise begins at 300 and grows slowly."
    )
    min_bitrate_kbps: int = Field(
        default=3500,
        gt=0,
        description="A phone never sends less, whatever it thinks of the link; lower it for many on one Wi-Fi.",
    )
    max_bitrate_kbps: int = Field(default=8000, gt=0)
    key_frame_interval_s: float = Field(default=1.0, gt=0, description="How often a phone is asked for a key frame.")
    silent_after_s: float = Field(
        default=3.0, gt=0, description="Without a frame for so long a phone counts as silent."
    )
    freed_after_s: float = Field(default=10.0, gt=0, description="Without a frame for so long its session is ended.")
    finish_after_s: float = Field(
        default=900.0, gt=0, description="A live acquisition without a phone for so long is finished."
    )

    chunk_budget_bytes: int = Field(default=128 * MIB, gt=0, description="Of waiting chunks in Redis, per acquisition.")
    total_chunk_budget_bytes: int = Field(default=1024 * MIB, gt=0, description="Of waiting chunks in Redis, in all.")
    max_upload_bytes: int = Field(default=32 * 1024 * MIB, gt=0, description="Of one file.")
    acquisition_upload_bytes: int = Field(
        default=64 * 1024 * MIB, gt=0, description="Of one acquisition's unfinished resumable uploads together."
    )
    total_upload_bytes: int = Field(
        default=512 * 1024 * MIB, gt=0, description="Of all unfinished resumable uploads together."
    )
    upload_expires_s: float = Field(
        default=24 * 3600.0, gt=0, description="A resumable upload that is left alone for so long is removed."
    )
    min_free_disk_bytes: int = Field(
        default=512 * MIB, ge=0, description="Below it no upload and no phone is accepted."
    )
    expire_after_s: int = Field(
        default=3600, gt=0, description="The bulk of an acquisition that is over leaves Redis after so long."
    )

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: str) -> str:
        if not url.startswith(("redis://", "rediss://", "unix://")):
            # without the address itself, which may hold a password
            raise InvalidSetting("CELLSTORM_REDIS_URL must begin with redis://, rediss:// or unix://")
        return url

    @field_validator("public_url")
    @classmethod
    def _in_ascii(cls, url: str | None) -> str | None:
        try:
            return None if url is None else ascii_url(url)
        except ValueError as error:
            raise InvalidSetting(f"CELLSTORM_PUBLIC_URL: the host of {url} is no name in DNS ({error})") from error

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        for lesser, greater in (("min_bitrate_kbps", "max_bitrate_kbps"), ("silent_after_s", "freed_after_s")):
            values = getattr(self, lesser), getattr(self, greater)
            if values[0] > values[1]:
                raise ValueError(
                    f"{_variable(lesser)} ({values[0]:g}) is more than {_variable(greater)} ({values[1]:g}); "
                    "lower the one, or raise the other"
                )
        return self

    @property
    def admin_token_file(self) -> Path:
        """Where the admin's token is kept when none is given, readable by its owner alone."""
        return self.data / "admin-token"

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """From the environment; `overrides` win where they are not None.

        Raises
        ------
        InvalidSetting
            Naming the first variable that is wrong or nearly the name of a setting, or two that do not fit each other.
        """
        cls._check_spelling()
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
        except ValidationError as error:
            first = error.errors()[0]
            message = in_words(first["msg"])
            name = "_".join(str(part) for part in first["loc"])
            raise InvalidSetting(f"{_variable(name)}: {message}" if name else message) from error

    @classmethod
    def _check_spelling(cls) -> None:
        prefix = str(cls.model_config["env_prefix"])
        for variable in os.environ:
            name = variable.upper().removeprefix(prefix).lower()
            if not variable.upper().startswith(prefix) or name in cls.model_fields:
                continue
            if meant := get_close_matches(name, cls.model_fields, 1, _ALIKE):
                raise InvalidSetting(f"{variable} is no setting; write {_variable(meant[0])}, or unset it")


def _variable(name: str) -> str:
    return "CELLSTORM_" + name.upper()
