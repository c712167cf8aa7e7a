"""`GET /v1/models`, and which model a request means."""

from __future__ import annotations

import time

from aiohttp import web

from bot.core.completions.completions import Completions
from bot.errors import Busy
from bot.platforms.api.errors import HEADERS, ApiRefusal
from bot.platforms.api.shapes import model_json, models_json
from inference.types import ModelInfo


class Models:
    """The models as clients call them: by `MODELS`, or the only one by its own name."""

    def __init__(self, completions: Completions) -> None:
        self._completions = completions
        self._since = int(time.time())

    def routes(self) -> list[web.RouteDef]:
        """The routes they serve."""
        return [
            web.get("/v1/models", self._list),
            web.get("/v1/models/{model:.+}", self._one),
        ]

    def find(self, asked: str | None) -> tuple[str, ModelInfo]:
        """A model by its name, and the first where none is named.

        Raises:
            ApiRefusal: there is no such model.
            Busy: it is not loaded yet.
        """
        models = self._completions.models()
        name = next(iter(models)) if asked is None else asked
        model = models.get(name)
        if model is None:
            # One that is alone has its name from its checkpoint, which may not be read yet.
            if name in models or [*models.values()] == [None]:
                raise Busy("api_loading")
            raise ApiRefusal(404, "api_no_model", code="model_not_found", param="model")
        return name, model

    def shown(self, asked: str | None) -> str:
        """What an answer says of its model."""
        return next(iter(self._completions.models())) if asked is None else asked

    async def _list(self, _request: web.Request) -> web.Response:
        loaded = [name for name, model in self._completions.models().items() if model is not None]
        return web.json_response(models_json(loaded, self._since), headers=HEADERS)

    async def _one(self, request: web.Request) -> web.Response:
        name, _ = self.find(request.match_info["model"])
        return web.json_response(model_json(name, self._since), headers=HEADERS)
