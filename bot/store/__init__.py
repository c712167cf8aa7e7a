"""What the bot remembers: threads, turns, pictures, and the inbox of claimed questions."""

from bot.store.backup import BackedUp, Restored, back_up, restore
from bot.store.database import DatabaseUnusable, StoreFailed, address_of, open_database
from bot.store.database.migrating import is_current, is_known_version
from bot.store.database.postgresql import try_postgresql
from bot.store.health import Outage, StoreHealth
from bot.store.inbox import Claim, Inbox
from bot.store.leases import LEASE_S, Leases
from bot.store.moving import Moved, move_store
from bot.store.people import People
from bot.store.pictures import PicturesUnusable
from bot.store.pictures.opening import open_picture_files
from bot.store.processes.clock import lease_time
from bot.store.processes.lease import Lease
from bot.store.processes.predecessor import Record as LeaseRecord
from bot.store.processes.signals import Signal, Signals
from bot.store.replies import Replies
from bot.store.sharing import Sharing
from bot.store.store import Store, running_store
from bot.values.turns import (
    GonePicture,
    Ownership,
    PictureFile,
    Share,
    StoredPicture,
    ThreadSummary,
    Turn,
)

__all__ = [
    "LEASE_S",
    "BackedUp",
    "Claim",
    "DatabaseUnusable",
    "GonePicture",
    "Inbox",
    "Lease",
    "LeaseRecord",
    "Leases",
    "Moved",
    "Outage",
    "Ownership",
    "People",
    "PictureFile",
    "PicturesUnusable",
    "Replies",
    "Restored",
    "Share",
    "Sharing",
    "Signal",
    "Signals",
    "Store",
    "StoreFailed",
    "StoreHealth",
    "StoredPicture",
    "ThreadSummary",
    "Turn",
    "address_of",
    "back_up",
    "is_current",
    "is_known_version",
    "lease_time",
    "move_store",
    "open_database",
    "open_picture_files",
    "restore",
    "running_store",
    "try_postgresql",
]
