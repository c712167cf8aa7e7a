"""The playground, one page and its HTTP interface; `PLAYGROUND` is its row in `PLATFORMS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.platforms.entry import PlatformEntry
from bot.platforms.web.keys import PLATFORM
from bot.platforms.web.settings import PlaygroundSettings
from bot.settings import revealed
from inference.names import shown_name

if TYPE_CHECKING:
    from bot.platforms.services import AdapterServices
    from bot.platforms.web.server import Playground


def make(services: AdapterServices, settings: PlaygroundSettings) -> Playground:
    """The adapter."""
    from bot.platforms.listening.senders import Senders
    from bot.platforms.web.admin.gate import AdminGate
    from bot.platforms.web.admin.handlers import AdminHandlers
    from bot.platforms.web.server import Playground
    from bot.platforms.web.uploads import Uploads

    common = services.settings
    senders = Senders(settings.trusted_proxies, setting="PLAYGROUND_TRUSTED_PROXIES")
    admin = None
    if (admin_password := revealed(settings.admin_password)) is not None:
        admin = AdminHandlers(AdminGate(admin_password, senders=senders), services.overview)
    return Playground(
        core=services.answers,
        store=services.store,
        erasure=services.erasure,
        uploads=Uploads(
            common.data_dir / "uploads",
            common.picture_limits,
            max_files=common.pictures_per_question,
        ),
        folder=common.data_dir,
        host=settings.host,
        port=settings.port,
        password=revealed(settings.password),
        allowed_hosts=settings.allowed_hosts,
        senders=senders,
        threads=settings.threads,
        sharing=settings.sharing,
        model_name=shown_name(common.model),
        presence=services.presences.of(PLATFORM),
        admin=admin,
    )


PLAYGROUND = PlatformEntry(
    name=PLATFORM,
    title="the playground",
    settings=PlaygroundSettings,
    make=make,
)
