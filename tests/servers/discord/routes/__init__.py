"""The paths of Discord's REST interface, by subject; importing this fills `ROUTES`."""

from tests.servers.discord.rest import ROUTES
from tests.servers.discord.routes import application, channels, interactions, messages

__all__ = ["ROUTES", "application", "channels", "interactions", "messages"]
