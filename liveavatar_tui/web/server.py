"""Serves the full-screen app to browsers through textual-serve, behind the doorkeeper. Knows no screen."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from liveavatar_tui.web.doorkeeper import Doorkeeper


class AppServer(Server):
    """One process of the app for each window; all of them see the same jobs and versions."""

    def __init__(self, host: str, port: int, token: str, config: Path | None) -> None:
        words = [sys.executable, "-m", "liveavatar_tui.web.served", *(["--config", str(config)] if config else [])]
        # textual-serve hands its command to a shell: every word is quoted.
        super().__init__(shlex.join(words), host=host, port=port, title="Live Avatar")
        self._doorkeeper = Doorkeeper(token, host)

    def initialize_logging(self) -> None:
        """Only what went wrong: requests carry the token."""
        logging.basicConfig(level="WARNING", format="%(message)s")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._doorkeeper.middleware())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """The command has said where the app is."""

    async def handle_index(self, request: web.Request) -> Any:
        """The page, with addresses under the name that the browser used: through a tunnel the port is another."""
        self.public_url = f"{request.scheme}://{request.host}"
        return await super().handle_index(request)
