"""A headless Chromium that tests and screenshots drive, over the protocol of its developer tools.

Chromium is the only thing it needs: no driver, and no library but one for WebSockets.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from websockets.sync.client import connect

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS: Final = ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "hide-scrollbars")
_SECONDS: Final = 60


class Browser:
    """One page of a Chromium of its own.

    Args:
        home: An empty folder for its profile.
    """

    def __init__(self, home: Path) -> None:
        profile = home / "profile"
        flags = [*(f"--{flag}" for flag in _FLAGS), "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [str(CHROMIUM), *flags, "about:blank"],
            env={**os.environ, "HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._calls = 0
        self._log: list[dict[str, Any]] = []
        self._open = ExitStack()
        self._open.callback(self._end)
        self._socket = self._open.enter_context(connect(_page_of(profile / "DevToolsActivePort"), max_size=None))
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Calls a method of the protocol and gives its result."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=_SECONDS))
            if message.get("id") == self._calls:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self._log += _complaints(message)

    def open(self, address: str) -> None:
        """Goes to an address, and returns once the page is loaded."""
        self.call("Page.navigate", url=address)
        self.until(f"document.readyState === 'complete' && location.href !== 'about:blank' && {_is(address)}")

    def run(self, script: str) -> Any:
        """What a JavaScript expression gives; a script with `return` is taken for a function's body."""
        body = f"(() => {{ {script} }})()" if "return " in script else script
        answer = self.call("Runtime.evaluate", expression=body, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Waits until an expression is true."""
        wait(lambda: self.run(condition), condition)

    def until_text(self, text: str) -> None:
        """Waits until the page shows a text."""
        self.until(f"(document.body?.innerText ?? '').includes({json.dumps(text)})")

    def text(self, selector: str = "body") -> str:
        """What the first element of a selector shows."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str, text: str = "") -> None:
        """Presses the mouse in the middle of the first element of a selector that holds a text."""
        all_of, holding = f"[...document.querySelectorAll({json.dumps(selector)})]", json.dumps(text)
        middle = "const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]"
        found = f"{all_of}.find((each) => each.innerText.includes({holding}))"
        self.until(f"!!{found}")  # a page that was sent may still be coming in
        find = f"const e = {found};"
        x, y = self.run(f"{find} e.scrollIntoView({{block: 'center'}}); {middle}")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str) -> None:
        """Selects what a field holds and types a text over it."""
        self.run(f"const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select(); return true")
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int = 900) -> None:
        """Makes the window so large; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: str) -> None:
        """Makes the system `light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def complaints(self) -> list[dict[str, Any]]:
        """What the console has said since it was last asked: errors, warnings, refused scripts and connections."""
        self.run("0")
        said, self._log = self._log, []
        return said

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """Ends the process."""
        self._open.close()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(_SECONDS)


def _is(address: str) -> str:
    return f"location.href.split('#')[0] === new URL({json.dumps(address)}).href.split('#')[0]"


def _page_of(port_file: Path) -> str:
    """The address of the page's WebSocket, once Chromium has written down its port."""
    wait(lambda: port_file.exists() and "\n" in port_file.read_text(), "Chromium's port")
    with urlopen(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json", timeout=_SECONDS) as answer:
        pages = [each for each in json.load(answer) if each["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])


def _complaints(message: dict[str, Any]) -> list[dict[str, Any]]:
    if message.get("method") == "Log.entryAdded":
        return [message["params"]["entry"]]
    if message.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        return [message["params"]]
    return []


def wait(ready: Callable[[], Any], what: str) -> None:
    """Returns once something is so."""
    end = time.monotonic() + _SECONDS
    while not ready():
        assert time.monotonic() < end, f"waited {_SECONDS} s for {what}"
        time.sleep(0.02)
