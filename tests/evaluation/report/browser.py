"""Headless Chromium for tests: its DevTools protocol over two pipes, nothing but the standard library."""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--enable-unsafe-swiftshader", "--no-first-run",
    "--hide-scrollbars",
)  # fmt: skip
KEYS = {" ": "Space", "Enter": "Enter", "Tab": "Tab"}


def find_browser() -> str | None:
    """The path of a Chromium; `MOOD_BROWSER` names another one."""
    named = os.environ.get("MOOD_BROWSER")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page in one browser of its own."""

    def __init__(self, program: str, *flags: str) -> None:
        self.home = tempfile.mkdtemp(prefix="mood-browser")
        self.from_browser, to_us = os.pipe()
        from_us, self.to_browser = os.pipe()
        # The browser wants to read from descriptor 3 and to write to 4.
        shell = f'exec "$@" 3<&{from_us} 4>&{to_us}'
        command = ["bash", "-c", shell, "-", program, *FLAGS, f"--user-data-dir={self.home}", *flags, "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=(from_us, to_us), stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self.number, self.received, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        page = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.from_browser)
        os.close(self.to_browser)
        for _ in range(20):  # its children write a little longer
            shutil.rmtree(self.home, ignore_errors=True)
            if not Path(self.home).exists():
                break
            time.sleep(0.1)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come meanwhile are kept."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self.to_browser, rest) :]
        while True:
            answer = self._next(300)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self.received:
            assert select.select([self.from_browser], [], [], seconds)[0], "the browser does not answer"
            self.received += os.read(self.from_browser, 2**20)
        one, self.received = self.received.split(b"\0", 1)
        return json.loads(one)

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; promises are waited for."""
        result = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 240) -> None:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(expression):
            assert time.monotonic() < end, f"still not true: {expression}"
            time.sleep(0.05)

    def open(self, page: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Open a file at a size of window and with a preference for light or dark."""
        phone = width < 500
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask("Page.navigate", url=page.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def press(self, key: str) -> None:
        """A key of the keyboard, pressed and released."""
        code = KEYS.get(key, f"Key{key.upper()}")
        text = {"text": "\r" if key == "Enter" else key} if key != "Tab" else {}
        virtual = {"Tab": 9, "Enter": 13, " ": 32}.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            extra = text if kind == "keyDown" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=virtual, **extra)

    def click(self, selector: str, x_share: float = 0.5, y_share: float = 0.5) -> None:
        """The mouse on an element, scrolled into view."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'});"
            " const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        point = {"x": box[0] + x_share * box[2], "y": box[1] + y_share * box[3], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **point)

    def picture(self, selector: str | None = None, whole: bool = False) -> np.ndarray:
        """What is on the screen, or of one element, or of the whole page: (H, W, 3) uint8."""
        clip = {}
        if selector:
            box = self.run(
                f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                " return [b.left + scrollX, b.top + scrollY, b.width, b.height]; })()"
            )
            clip = {"clip": dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}}
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole or bool(selector), **clip)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    def complaints(self) -> list[str]:
        """Errors and warnings of the console so far."""
        found = []
        for event in self.events:
            what = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(what["exceptionDetails"].get("exception", {}).get("description", what)))
            elif event.get("method") == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(what["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
                found.append(str([each.get("value", each.get("description")) for each in what["args"]]))
        return [text for text in found if "GPU stall due to ReadPixels" not in text]  # of the test's own pictures

    def requests(self) -> list[str]:
        """Addresses that pages asked for, those inside the page left out."""
        sent = [
            one["params"]["request"]["url"] for one in self.events if one.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]
