"""The settings that bound questions and pictures."""

from __future__ import annotations

from pydantic import Field

from bot.settings.group import SettingsGroup
from bot.values.limits import PictureLimits, QuestionBounds


class LimitSettings(SettingsGroup):
    """How many questions are let through, and which pictures are read."""

    max_waiting: int = Field(
        32, ge=0, description="Questions that may wait for the model; one more is refused."
    )
    questions_per_user: int = Field(
        5, ge=1, description="Questions per user that may wait or run at once."
    )
    questions_per_user_per_minute: int = Field(
        60, ge=0, description="Questions per user in a minute; 0 is no bound."
    )
    questions_per_user_per_day: int = Field(
        0, ge=0, examples=["500"], description="Questions per user in 24 hours; 0 is no bound."
    )
    questions_per_channel: int = Field(
        0,
        ge=0,
        examples=["20"],
        description="Questions per channel that may wait or run at once; 0 is no bound. The "
        "playground counts as one channel.",
    )
    questions_per_channel_per_minute: int = Field(
        0, ge=0, examples=["120"], description="Questions per channel in a minute; 0 is no bound."
    )
    questions_per_channel_per_day: int = Field(
        0, ge=0, examples=["5000"], description="Questions per channel in 24 hours; 0 is no bound."
    )
    question_max_characters: int = Field(
        40_000, ge=1, description="Longest question that is read, in characters."
    )
    answer_timeout_s: float = Field(
        900,
        gt=0,
        description="Seconds that an answer may take; what it has by then is shown, and it stops.",
    )
    pictures_per_question: int = Field(8, ge=1, le=32, description="Pictures used per question.")
    pictures_per_thread: int = Field(200, ge=1, description="Pictures that a thread keeps.")
    picture_max_mb: float = Field(30, gt=0, description="Largest picture file that is used.")
    picture_max_megapixels: float = Field(
        50,
        gt=0,
        description="Largest picture that is decoded; a JPEG, which is decoded at a fraction of "
        "its size, may have four times as many.",
    )
    picture_decode_s: int = Field(
        5,
        ge=1,
        le=600,
        description="Seconds of processor time that decoding one picture may take.",
    )
    picture_side_px: int = Field(
        2048,
        ge=336,
        description="Pictures are scaled down to this longer side before they are stored.",
    )
    video_max_s: int = Field(
        300,
        ge=0,
        le=3600,
        description="Longest video whose frames are looked at, in seconds; 0: none is.",
    )
    pictures_max_gb: float = Field(
        20,
        ge=0,
        description="Disk for pictures. Beyond it, those of the thread that was used longest ago "
        "are deleted first; 0 is no bound.",
    )

    @property
    def question_bounds(self) -> QuestionBounds:
        """How many questions users and channels may ask."""
        return QuestionBounds(
            text_characters=self.question_max_characters,
            user_at_once=self.questions_per_user,
            user_per_minute=self.questions_per_user_per_minute,
            user_per_day=self.questions_per_user_per_day,
            channel_at_once=self.questions_per_channel,
            channel_per_minute=self.questions_per_channel_per_minute,
            channel_per_day=self.questions_per_channel_per_day,
        )

    @property
    def picture_limits(self) -> PictureLimits:
        """The bounds on pictures."""
        return PictureLimits(
            max_bytes=int(self.picture_max_mb * 1e6),
            max_pixels=int(self.picture_max_megapixels * 1e6),
            max_side_px=self.picture_side_px,
            max_kept_bytes=int(self.pictures_max_gb * 1e9),
            decode_s=self.picture_decode_s,
            max_video_s=self.video_max_s,
        )
