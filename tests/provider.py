"""A small OpenID provider for tests; it keeps the real rules: codes once, PKCE, exact addresses."""

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "approvals", "secret-of-the-client"


class Provider:
    """Knows one person, and says about them what a test has put into `claims`.

    Attributes:
        claims: Put over what an identity token says; `None` leaves a claim out.
        key: Signs identity tokens; the keys that it publishes are those of `published`.
    """

    def __init__(self, back):
        self.back, self.issuer = back, ""
        self.key = RSAKey.generate_key(2048, {"kid": "first"}, private=True)
        self.published = self.key
        self.claims, self.codes, self.refused = {}, {}, []

    def authorize(self, asked):
        """Return where to send the browser, as if the person had agreed at once."""
        right = {"client_id": CLIENT, "redirect_uri": self.back, "response_type": "code"}
        right["code_challenge_method"] = "S256"
        if {name: asked.get(name) for name in right} != right or "openid" not in asked["scope"]:
            return None
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{self.back}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked, basic):
        """Return the tokens for a code, once, to whoever asked for it."""
        begun = self.codes.pop(asked.get("code"), None)
        if begun is None or basic != f"{CLIENT}:{SECRET}":
            return None
        challenge = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(challenge).decode().rstrip("=") != begun["code_challenge"]:
            return None
        if asked.get("redirect_uri") != self.back:
            return None
        return {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "id_token": self.identity(begun["nonce"]),
        }

    def identity(self, nonce):
        """Return a signed identity token."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "sub": "42",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": "ana@example.org",
            "email_verified": True,
        } | self.claims
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "first"}, said, self.key)

    def about(self):
        """Return what a provider publishes about itself."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }


@contextmanager
def provider(back):
    """Serve a provider that sends browsers back to `back` only."""
    made = Provider(back)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            path, asked = self.asked(urlsplit(self.path).query)
            if path == "/authorize":
                self.move(made.authorize(asked))
            elif path == "/keys":
                self.say({"keys": [made.published.as_dict(private=False)]})
            else:
                self.say(made.about())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            _, asked = self.asked(body)
            _, _, basic = self.headers.get("authorization", "").partition(" ")
            given = made.token(asked, base64.b64decode(basic).decode())
            self.say(given or {"error": "invalid_grant"}, 200 if given else 400)

        def asked(self, query):
            values = {name: value[0] for name, value in parse_qs(query).items()}
            return urlsplit(self.path).path, values

        def say(self, document, status=200):
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def move(self, url):
            self.send_response(302 if url else 400)
            if url:
                self.send_header("location", url)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
