"""Pictures' bytes: files in a folder, or objects in an S3-compatible bucket."""

from bot.store.pictures.files import PictureLost, PicturesUnusable
from bot.store.pictures.keeping import Pictures
from bot.store.pictures.opening import running_pictures
from bot.store.pictures.rows import PictureGone, discard_unused, settle

__all__ = [
    "PictureGone",
    "PictureLost",
    "Pictures",
    "PicturesUnusable",
    "discard_unused",
    "running_pictures",
    "settle",
]
