"""A headless Chromium, driven through its DevTools pipe: no driver program, no port, no package.

    with Browser(folder) as browser:
        browser.open(file.as_uri())
        browser.press("ArrowRight")
        assert browser.run("location.hash") == "#step-2"

Commands and answers are JSON, each with a zero byte behind it (`--remote-debugging-pipe`: descriptors 3, 4).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from support import DEADLINE_SECONDS, STOP_SECONDS, program

CHROMIUM = "chromium|chromium-browser|google-chrome|google-chrome-stable"
_SWITCHES = (
    *("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-sync", "disable-extensions"),
    *("disable-background-networking", "disable-component-update", "disable-breakpad", "hide-scrollbars"),
    *("disable-dev-shm-usage", "no-proxy-server", "remote-debugging-pipe"),
)
_KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
}


class Browser:
    """One page. `errors` is what its console complained of, `requests` every address that it asked for."""

    def __init__(self, folder: Path, *switches: str, home: Path | None = None) -> None:
        options = [f"--{one}" for one in (*_SWITCHES, f"user-data-dir={folder / 'profile'}", *switches)]
        # The shell moves the two pipes to where Chromium looks for them.
        moving = 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null'
        self._process = subprocess.Popen(
            ["sh", "-c", moving, program(CHROMIUM) or "chromium", *options, "about:blank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # so that its whole group can be ended
            env={**os.environ, **({"HOME": str(home), "XDG_DATA_HOME": str(home / "data")} if home else {})},
        )
        self._unread = b""
        self._count = 0
        self._session = ""
        self._loaded = False
        self.errors: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        try:
            targets = self._call("Target.getTargets")["targetInfos"]
            page = next(target["targetId"] for target in targets if target["type"] == "page")
            attached = self._call("Target.attachToTarget", targetId=page, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._call(f"{domain}.enable")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        commands, answers = self._pipes
        commands.close()  # Chromium ends with its pipe
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        answers.close()

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def open(self, address: str) -> None:
        """Go to an address; returns when the page is loaded."""
        self._loaded = False
        answer = self._call("Page.navigate", url=address)
        assert "errorText" not in answer, f"{address}: {answer['errorText']}"
        if "loaderId" not in answer:  # the same page, elsewhere in it
            self._draw()
            return
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._loaded:
            self._note(self._next(deadline))

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until the expression is true; between two looks, and once after it, the page draws a frame.

        After it, for the page may have to hear of it as well: a link changes the address at once, and the
        event that tells the page so is still to come.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self.run(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self._draw()
        self._draw()

    def _draw(self) -> None:
        """Until the page has drawn what was asked for until now."""
        frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(null))))"
        self.run(frame)

    def text(self, selector: str = "body") -> str:
        """What a person can read of the first element that the selector finds."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText.trim()"))

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of the first element that the selector finds."""
        x, y = self._middle(selector)
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _middle(self, selector: str) -> tuple[float, float]:
        box = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', inline: 'center'});"
            "const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return float(box[0]), float(box[1])

    def press(self, key: str) -> None:
        """A key, by its name in JavaScript."""
        text = {"text": key} if len(key) == 1 else {}
        code = _KEYS.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def type(self, text: str) -> None:
        self._call("Input.insertText", text=text)

    def resize(self, width: int, height: int, *, mobile: bool = False) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def pretend(self, *, scheme: str = "light", media: str = "") -> None:
        """Prefer a colour scheme, and show the page as for a medium such as "print"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """A PNG of what is in view, or of the whole page."""
        shot = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        return base64.b64decode(self._call("Page.printToPDF")["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        commands, _ = self._pipes
        while data:
            data = data[commands.write(data) :]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        _, answers = self._pipes
        while b"\0" not in self._unread:
            ready, _, _ = select.select([answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium did not answer within {DEADLINE_SECONDS} s"
            data = answers.read(1 << 20)
            assert data, "Chromium has ended"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        found = _HEARD.get(event.get("method", ""))
        if found:
            found(self, event["params"])

    def _was_loaded(self, _: dict[str, Any]) -> None:
        self._loaded = True

    def _was_thrown(self, event: dict[str, Any]) -> None:
        self.errors.append(json.dumps(event["exceptionDetails"]))

    def _was_said(self, event: dict[str, Any]) -> None:
        if event["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(event["args"]))

    def _was_logged(self, event: dict[str, Any]) -> None:
        if event["entry"]["level"] in ("error", "warning"):
            self.errors.append(event["entry"]["text"])

    def _was_asked_for(self, event: dict[str, Any]) -> None:
        self.requests.append(event["request"]["url"])


_HEARD: dict[str, Callable[[Browser, dict[str, Any]], None]] = {
    "Page.loadEventFired": Browser._was_loaded,
    "Runtime.exceptionThrown": Browser._was_thrown,
    "Runtime.consoleAPICalled": Browser._was_said,
    "Log.entryAdded": Browser._was_logged,
    "Network.requestWillBeSent": Browser._was_asked_for,
}
