"""What `PICTURES_URL` may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.settings import Settings
from bot.values.picture_places import (
    PictureBucket,
    PictureFolder,
    PicturePlace,
    parse_pictures_url,
)

KEY, SECRET = "AKLOCALKEY", "local/secret+key"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///srv/pictures", PictureFolder(Path("/srv/pictures"), is_shared=True)),
        ("file:///srv/our%20team", PictureFolder(Path("/srv/our team"), is_shared=True)),
        ("s3://team", PictureBucket(bucket="team")),
        ("s3://team/bot/pictures/", PictureBucket(bucket="team", prefix="bot/pictures")),
        (
            "s3://team/a?endpoint=http://10.0.0.1:9000/&region=eu-1",
            PictureBucket(
                bucket="team", prefix="a", endpoint="http://10.0.0.1:9000", region="eu-1"
            ),
        ),
    ],
)
def test_the_address_says_where(url: str, place: PicturePlace) -> None:
    assert parse_pictures_url(url) == place
    assert Settings.model_validate({"pictures_url": url}).pictures_at == place


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/srv/pictures", "file:///folder or s3://"),
        ("https://s3.example.org/team", "file:///folder or s3://"),
        ("file://srv/pictures", "with three slashes"),
        ("file:///", "with three slashes"),
        ("s3://", "s3://bucket/prefix"),
        ("s3://Team_Pictures", "s3://bucket/prefix"),
        ("s3://key:secret@team/a", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://team?acl=public", "acl is no option of s3://"),
        ("s3://team?endpoint=s3.example.org", "https://s3.example.org"),
    ],
)
def test_a_wrong_address_gets_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Settings.model_validate({"pictures_url": url})


def test_the_keys_are_no_part_of_the_address_and_of_no_repr() -> None:
    settings = Settings.model_validate(
        {
            "pictures_url": "s3://team",
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
        }
    )
    place = settings.pictures_at
    assert isinstance(place, PictureBucket)
    assert place.secret_access_key is not None
    assert place.secret_access_key.get_secret_value() == SECRET
    assert KEY not in repr(settings) + repr(place)
    assert SECRET not in repr(settings) + repr(place)
