"""An OpenID provider on the loopback: `oidc-provider` from npm, certified by the OpenID Foundation, with accounts of ours."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from programs import HERE, Program, free_port, node, package

CLIENT, SECRET = "vsm", "secret-of-the-client-in-the-tests"


class OpenId:
    """A running provider. `metadata` is where it describes itself; who types an account's name is signed in as it."""

    def __init__(self, folder: Path, address: str, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        package("oidc-provider/lib/index.js")
        folder.mkdir(parents=True, exist_ok=True)
        back = [f"{address}/oauth2callback"]
        client = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": back, "post_logout_redirect_uris": back}
        (folder / "openid.json").write_text(json.dumps({"client": client, "accounts": accounts}))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.metadata = f"{self.url}/.well-known/openid-configuration"
        command = [node(), HERE / "openid.mjs", port, folder / "openid.json"]
        self._program = Program(command, port, "/.well-known/openid-configuration", folder / "openid.log")

    def close(self) -> None:
        """End it."""
        self._program.close()
