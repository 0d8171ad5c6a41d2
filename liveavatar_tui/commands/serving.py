"""The command that serves the app to a browser."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import complain, say
from liveavatar_tui.commands.parser import add_command, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import SubParsers

_HOST = "127.0.0.1"
_PORT = "8000"


def register(commands: SubParsers) -> None:
    """Add the command, with its help in the language in force."""
    short = _("Show the app in a browser.")
    more = _(
        "On this machine only, to whoever has the address that is printed: a token is in it. From elsewhere come\n"
        "through SSH: ssh -L 8000:127.0.0.1:8000 HOST. Needs the extra `web`."
    )
    lines = examples(("liveavatar-tui serve", ""), ("liveavatar-tui serve --port 8080", ""))
    parser = add_command(commands, "serve", serve, short, more, lines)
    parser.add_argument("--host", metavar="NAME", help=_("Address to listen on (default: 127.0.0.1)."))
    parser.add_argument("--port", metavar="N", help=_("Port to listen on (default: 8000; 0: any that is free)."))
    parser.with_help()


def serve(given: Namespace) -> int:
    """Serve until interrupted; raises `Problem` TERM010 to TERM012."""
    import secrets

    from liveavatar_tui import codes

    settings = settings_of(given)
    host, port = getattr(given, "host", _HOST), _port(getattr(given, "port", _PORT))
    try:
        from liveavatar_tui.web.doorkeeper import LOOPBACK
        from liveavatar_tui.web.server import AppServer
    except ModuleNotFoundError as missing:
        raise codes.WEB_MISSING.problem(name=missing.name, exit_code=2) from missing
    port = port or _free_port(host)
    token = secrets.token_urlsafe(24)
    if host not in LOOPBACK:
        complain(_("Whoever can reach {host} can reach this server, and nothing is encrypted.").format(host=host))
    say(f"http://{host}:{port}/?token={token}")
    sys.stdout.flush()
    try:
        AppServer(host, port, token, settings.file).serve()
    except OSError as fault:
        raise codes.WEB_PORT_TAKEN.problem(place=f"{host}:{port}", reason=fault.strerror or str(fault)) from fault
    return 0


def _port(text: str) -> int:
    from liveavatar_tui import codes

    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise codes.WEB_NO_PORT.problem(text=text, exit_code=2)
    return int(text)


def _free_port(host: str) -> int:
    import socket

    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])
