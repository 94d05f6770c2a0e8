"""WebM with alpha as a browser shows it: Chromium plays it over a coloured canvas."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cleanplate.video import ClipWriter, output_of
from tests.video.scenes import scene

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")

SCENE = scene(192, 128)
BACKGROUND = (40, 200, 90)
PAGE = """<!doctype html><video id=v muted src=/clip.webm></video><script>
const v = document.getElementById("v");
const send = (path, body) => fetch(path, {method: "POST", body});
v.onerror = () => send("/error", v.error.message || "it does not play");
v.ontimeupdate = async () => {
  if (v.currentTime < 0.05 || v.done) return;
  v.done = true;
  v.pause();
  const canvas = document.createElement("canvas");
  canvas.width = v.videoWidth; canvas.height = v.videoHeight;
  const c = canvas.getContext("2d", {willReadFrequently: true});
  const pixels = () => c.getImageData(0, 0, canvas.width, canvas.height).data;
  c.drawImage(v, 0, 0);
  await send("/alone", pixels());
  c.globalCompositeOperation = "copy";
  c.fillStyle = "rgb(40, 200, 90)";
  c.fillRect(0, 0, canvas.width, canvas.height);
  c.globalCompositeOperation = "source-over";
  c.drawImage(v, 0, 0);
  await send("/over", pixels());
  await send("/done", "");
};
v.play();
</script>"""


@contextmanager
def served(clip: Path) -> Iterator[tuple[str, dict[str, bytes], threading.Event]]:
    """Serve the page and the clip; what the page sends back."""
    sent: dict[str, bytes] = {}
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = clip.read_bytes() if self.path.endswith(".webm") else PAGE.encode()
            kind = "video/webm" if self.path.endswith(".webm") else "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            sent[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            if self.path in ("/done", "/error"):
                done.set()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", sent, done
    finally:
        server.shutdown()
        server.server_close()


def shown(clip: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The frame by itself, (H, W, 4) straight, and over the background, (H, W, 3); in [0, 1]."""
    with served(clip) as (url, sent, done):
        process = subprocess.Popen(
            [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--force-color-profile=srgb", "--autoplay-policy=no-user-gesture-required",
             f"--user-data-dir={folder / 'profile'}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert done.wait(60), "the page did not answer"
        finally:
            process.terminate()
            process.wait()
    assert "/error" not in sent, sent["/error"]
    height, width = SCENE.alpha.shape
    alone, over = (
        np.frombuffer(sent[name], np.uint8).reshape(height, width, 4) / 255
        for name in ("/alone", "/over")
    )
    return alone, over[..., :3]


def written(path: Path, *, premultiplied: bool) -> Path:
    output = output_of(path, premultiplied=premultiplied, quality=8)
    with ClipWriter([output], SCENE.facts()) as writer:
        for index in range(10):
            writer.write(SCENE.layers(index))
    return path


def test_straight_webm_is_what_a_browser_expects(tmp_path: Path) -> None:
    alone, over = shown(written(tmp_path / "a.webm", premultiplied=False), tmp_path)
    alpha = SCENE.alpha[..., None]
    assert np.abs(alone[..., 3] - SCENE.alpha).mean() < 1 / 255
    assert (alone[..., 3][SCENE.alpha == 0] < 3 / 255).all()
    truth = alpha * SCENE.foreground + (1 - alpha) * np.array(BACKGROUND) / 255
    error = np.abs(over - truth)
    assert np.median(error[SCENE.soft]) < 4 / 255
    # Its conversion has six bits: blue's factor of Cb, 2.11, counts as 2 there.
    assert np.median(error[SCENE.alpha == 1]) < 4 / 255
    assert error[SCENE.alpha == 0].max() < 3 / 255


def test_premultiplied_webm_is_darker_at_the_edge_there(tmp_path: Path) -> None:
    """A browser multiplies once more: the file is for programs that can be told otherwise."""
    _, over = shown(written(tmp_path / "a.webm", premultiplied=True), tmp_path)
    alpha = SCENE.alpha[..., None]
    twice = alpha**2 * SCENE.foreground + (1 - alpha) * np.array(BACKGROUND) / 255
    assert np.median(np.abs(over - twice)[SCENE.soft]) < 4 / 255
