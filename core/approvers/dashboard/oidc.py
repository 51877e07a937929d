"""Come in from an identity provider: OpenID Connect's code flow, with PKCE, state and nonce."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...display import safe
from ...model import same
from .people import PeopleError, Person, Role
from .provider import ANYWHERE, Provider, is_private
from .sessions import hashed

SECONDS_FOR_THE_TRIP = 600.0
SECONDS_FOR_AN_ANSWER = 10.0
SECONDS_OF_LEEWAY = 60
MOST_AWAY = 1_000
MOST_PEOPLE = 10_000
ALGORITHMS = ["RS256", "PS256", "ES256"]


class NotLetIn(PeopleError):
    """Somebody came back from the provider, and may not come in; nothing has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One browser that is away at the provider."""

    state: str
    nonce: str
    verifier: str
    back: str
    following: str
    until: float


class OpenID:
    """Sends people to their identity provider, and knows them when they come back.

    All methods block; those that talk to the provider raise `PeopleError` when it cannot be
    understood.

    Args:
        clock: Seconds on a clock that is never set back.
    """

    def __init__(self, provider: Provider, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._away = OrderedDict[str, Trip]()
        self._known = OrderedDict[str, Person]()
        self._lock = threading.Lock()
        self._about: Mapping[str, Any] = {}

    def depart(self, back: str, following: str) -> tuple[str, str]:
        """Return a secret for the browser's cookie, and where to send it.

        Args:
            back: Where the provider sends it back to.
            following: The page that the person wanted.
        """
        secret, state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        trip = Trip(
            state=state,
            nonce=nonce,
            verifier=verifier,
            back=back,
            following=following,
            until=self._clock() + SECONDS_FOR_THE_TRIP,
        )
        start = self._endpoint("authorization_endpoint")
        with self._client(back) as client:
            url, _ = client.create_authorization_url(
                start, state=state, nonce=nonce, code_verifier=verifier
            )
        with self._lock:
            self._away[hashed(secret)] = trip
            while len(self._away) > MOST_AWAY:
                self._away.popitem(last=False)
        return secret, str(url)

    def arrive(self, secret: str, params: Mapping[str, str]) -> tuple[str, str]:
        """Return the name of a person who came back, and the page that they wanted.

        Raises:
            NotLetIn: It is not the browser that left, or not somebody who may come in.
        """
        with self._lock:
            trip = self._away.pop(hashed(secret), None)  # whatever comes of it, only once
        if trip is None or self._clock() >= trip.until:
            raise NotLetIn("You did not leave from here, or too long ago: log in once more.")
        if not secrets.compare_digest(params.get("state", "").encode(), trip.state.encode()):
            raise NotLetIn("This is the answer to a question of somebody else: log in once more.")
        if params.get("iss", self.provider.issuer) != self.provider.issuer:
            raise NotLetIn("This is the answer of another provider: log in once more.")
        if "code" not in params:
            why = safe(params.get("error", "no code"))[:80]
            raise NotLetIn(f"The provider did not let you in ({why}).")
        person = self._person(self._claims(params["code"], trip))
        with self._lock:
            self._known[same(person.name)] = person
            self._known.move_to_end(same(person.name))
            while len(self._known) > MOST_PEOPLE:
                self._known.popitem(last=False)
        return person.name, trip.following

    def by_name(self, name: str, /) -> Person | None:
        """Return somebody who has come in from the provider, as it described them then."""
        with self._lock:
            return self._known.get(same(name))

    def by_password(self, _name: str, _password: str, /) -> None:
        return None

    def by_token(self, _token: str, /) -> None:
        return None

    def _claims(self, code: str, trip: Trip) -> Mapping[str, Any]:
        """Trade the code for an identity token, and check every word of that."""
        from authlib.integrations.base_client import OAuthError
        from httpx2 import HTTPError

        with self._client(trip.back) as client:
            try:
                given = client.fetch_token(
                    self._endpoint("token_endpoint"),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=trip.verifier,
                )
            except (OAuthError, HTTPError, ValueError) as error:
                raise NotLetIn(
                    "The provider did not take its own code: log in once more."
                ) from error
        token = given.get("id_token")
        if not isinstance(token, str):
            raise NotLetIn("The provider did not say who you are.")
        return self._checked(token, given, trip.nonce)

    def _checked(self, token: str, given: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        try:
            decoded = self._decoded(token)
            claims: Any = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "values": [self.provider.issuer]}},
                {
                    "nonce": nonce,
                    "client_id": self.provider.client_id,
                    "access_token": given.get("access_token"),
                },
            )
            claims.validate(leeway=SECONDS_OF_LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise NotLetIn(
                "The provider's word about you does not hold: log in once more."
            ) from error
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if audience != [self.provider.client_id]:
            raise NotLetIn("The provider's word about you was meant for somebody else.")
        found: Mapping[str, Any] = claims
        return found

    def _decoded(self, token: str) -> Any:
        """Check the signature, with the keys that the provider has at this moment."""
        from joserfc import jwt
        from joserfc.jwk import KeySet

        keys = self._fetched(self._endpoint("jwks_uri"))
        known = KeySet.import_key_set(keys)  # type: ignore[arg-type]  # checked there, at run time
        return jwt.decode(token, known, algorithms=ALGORITHMS)

    def _person(self, claims: Mapping[str, Any]) -> Person:
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise NotLetIn("The provider has not verified your address, so nobody knows you.")
        if "@" not in email or safe(email) != email or len(email) > 200:
            raise NotLetIn("Your address cannot be read.")
        domain = same(email.rpartition("@")[2])
        if ANYWHERE not in self.provider.domains and domain not in self.provider.domains:
            raise NotLetIn(f"Nobody from {domain} comes in here.")
        groups = claims.get(self.provider.groups)
        mine = cast(list[object], groups) if isinstance(groups, list) else [groups]
        roles = [role for group, role in self.provider.roles.items() if group in mine]
        return Person(name=email, role=max(roles, default=Role.VIEWER))

    def _endpoint(self, name: str) -> str:
        """Return an address that the provider says is its own.

        Raises:
            PeopleError: It does not say, or one that anybody on the way could read.
        """
        if not self._about:
            url = self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
            about = self._fetched(url)
            if about.get("issuer") != self.provider.issuer:
                raise PeopleError(f"{self.provider.issuer} says that it is another provider")
            self._about = about
        found = self._about.get(name)
        if not isinstance(found, str) or not is_private(found):
            raise PeopleError(f"{self.provider.issuer} has no {name} that can be trusted")
        return found

    def _fetched(self, url: str) -> Mapping[str, Any]:
        from httpx2 import HTTPError, get

        try:
            answer = get(url, timeout=SECONDS_FOR_AN_ANSWER, follow_redirects=False)
            answer.raise_for_status()
            found: object = answer.json()
        except (HTTPError, ValueError):
            raise PeopleError(f"{url} does not answer as an identity provider does") from None
        if not isinstance(found, dict):
            raise PeopleError(f"{url} does not answer as an identity provider does")
        return cast(dict[str, Any], found)

    def _client(self, back: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self.provider.client_id,
            self.provider.client_secret or None,
            token_endpoint_auth_method="client_secret_basic"
            if self.provider.client_secret
            else "none",
            scope=self.provider.scope,
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=SECONDS_FOR_AN_ANSWER,
        )
