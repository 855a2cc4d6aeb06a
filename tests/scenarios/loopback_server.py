"""A web server of a test's own, on loopback and gone with its `with` block."""
import http.server
import threading


class LoopbackServer:
    """What serves says how in handler(); `url` is where, without a slash behind."""

    def handler(self):
        """The http.server handler class that answers."""
        raise NotImplementedError

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
