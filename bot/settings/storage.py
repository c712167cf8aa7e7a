"""The settings of what the bot keeps: where, and for how long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr, field_validator

from bot.settings.group import SettingsGroup, revealed
from bot.values.picture_places import PictureBucket, PicturePlace, parse_pictures_url


def default_data_dir() -> Path:
    """The platform's usual place for application data."""
    try:
        return platformdirs.user_data_path("llava-bot", appauthor=False)
    except RuntimeError:
        return Path("~/.llava-bot")  # nobody's home: refused where the setting is checked


class StorageSettings(SettingsGroup):
    """The database and the pictures."""

    thread_days: int = Field(
        30,
        ge=0,
        description="Threads are erased after so many days without a question; 0 keeps them.",
    )
    usage_days: int = Field(
        90, ge=0, description="Days that counts of questions are kept; 0 keeps them for ever."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validate_default=True,
        examples=["/srv/llava-bot"],
        description="The private directory for all state; by default the platform's usual place.",
    )
    database_url: SecretStr | None = Field(
        None,
        examples=["postgresql+asyncpg://bot:…@db.example.org/llava_bot"],
        description="A PostgreSQL database, for several processes that share the work; by default "
        "SQLite in `DATA_DIR`.",
    )
    pictures_url: str | None = Field(
        None,
        examples=["s3://bucket/pictures?endpoint=https://s3.example.org&region=us-east-1"],
        description="Where pictures are kept, if not in `DATA_DIR`: `file:///folder`, or a bucket "
        "of an S3-compatible store. Several bots on one database share it.",
    )
    aws_access_key_id: SecretStr | None = Field(
        None,
        examples=["…"],
        description="For `s3://`: the key's id; without keys they come from the machine's role.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        None, examples=["…"], description="For `s3://`: the secret key."
    )
    aws_session_token: SecretStr | None = Field(
        None, examples=["…"], description="For `s3://`: the session's token, of temporary keys."
    )

    @property
    def pictures_at(self) -> PicturePlace | None:
        """Where pictures are kept; `None`: beside the database."""
        if self.pictures_url is None:
            return None
        place = parse_pictures_url(self.pictures_url)
        if isinstance(place, PictureBucket):
            return replace(
                place,
                access_key_id=self.aws_access_key_id,
                secret_access_key=self.aws_secret_access_key,
                session_token=self.aws_session_token,
            )
        return place

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, database_url: SecretStr | None) -> SecretStr | None:
        scheme = (revealed(database_url) or "postgresql").partition(":")[0]
        if scheme not in {"postgresql+asyncpg", "postgresql", "postgres"}:
            raise ValueError("it must begin with postgresql+asyncpg://")
        return database_url

    @field_validator("pictures_url")
    @classmethod
    def _place_is_understood(cls, url: str | None) -> str | None:
        if url is not None:
            parse_pictures_url(url)
        return url

    @field_validator("data_dir")
    @classmethod
    def _home_is_understood(cls, data_dir: Path) -> Path:
        try:
            return data_dir.expanduser()
        except RuntimeError:
            if (whose := data_dir.parts[0]) != "~":
                raise ValueError(f"there is no home directory {whose}") from None
            raise ValueError(
                "this user has no home directory: set DATA_DIR to a folder, or set HOME"
            ) from None
