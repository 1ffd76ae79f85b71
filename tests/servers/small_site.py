"""A small web site on this machine that remembers what was asked of it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """Pages by their paths; what was posted is kept."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self.pages = dict(pages)
        self.asked: list[str] = []
        """The paths that were asked for, in order."""
        self.posted: list[tuple[str, str]] = []
        """The paths and bodies of forms that were sent."""
        self.url = ""
        """Where it is, without a slash at the end."""


@contextmanager
def serving(pages: Mapping[str, str]) -> Iterator[Site]:
    """A site with these pages, until the context is left."""
    site = Site(pages)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            self._answer(site.pages.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            site.posted.append((self.path, body.decode()))
            self._answer("<title>Thank you</title><h1>Sent</h1>")

        def _answer(self, page: str | None) -> None:
            content = (page or "<h1>Not here</h1>").encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            with suppress(ConnectionError):  # the browser has gone on
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
