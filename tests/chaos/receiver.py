"""Who is told of alerts: a webhook receiver that refuses and hangs now and then."""

from __future__ import annotations

import http.server
import json
import random
import threading
import time


class Receiver:
    """Remembers the labels `op` of the alerts that it was told are firing."""

    def __init__(self, rng: random.Random) -> None:
        self.told: set[str] = set()
        self.moods = random.Random(rng.getrandbits(32))
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                mood = receiver.moods.random()
                if mood < 0.05:
                    time.sleep(1)
                if mood < 0.2:
                    self.send_error(503)
                    return
                # What it answers is lost sometimes, so it is told again.
                alerts = [alert["labels"] for alert in body["alerts"] if alert["status"] == "firing"]
                receiver.told |= {labels["op"] for labels in alerts if "op" in labels}
                if mood > 0.9:
                    self.connection.close()
                    return
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
