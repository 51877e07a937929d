"""What Teams sends to a bot: activities of people, with a token that says where they come from."""

import time

import requests
import teams_tokens

SECONDS_TO_ANSWER = 10.0
LONG = 3600


class Sending:
    """What of the stand-in has to do with the bot's own endpoint."""

    def activity(self, person, message, **more):
        """Return an activity of a person, about a message."""
        there = self.conversations[message["conversation"]]
        thread = f";messageid={message['root'] or message['id']}" if there.kind == "channel" else ""
        with self.lock:
            self._last += 1
            number = self._last
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.clock()))
        return {
            "type": "invoke",
            "id": f"f:{number}",
            "timestamp": now,
            "channelId": "msteams",
            "serviceUrl": self.service,
            "from": person.account,
            "recipient": {"id": f"28:{self.app}", "name": "Approvals"},
            "conversation": {
                "id": there.id + thread,
                "conversationType": there.kind,
                "tenantId": person.tenant,
                "isGroup": there.kind != "personal",
            },
            "channelData": {"tenant": {"id": person.tenant}, "source": {"name": "message"}},
            "replyToId": message["id"],
            "locale": "en-US",
            **more,
        }

    def token(self, *, signer="bot framework", **claims):
        """Return a token for an activity, as the channel makes it but for these claims."""
        now = int(self.clock())
        return teams_tokens.signed(
            signer, {**self._claims(now), **claims}, kid=teams_tokens.kid("bot framework")
        )

    def bad_tokens(self):
        """Return what `Authorization` may not be for an activity to be believed, by its fault."""
        now = int(self.clock())
        mine = self._claims(now)
        entra = {"iss": f"https://login.microsoftonline.com/{self.tenant}/v2.0", "tid": self.tenant}
        nowhere = {name: value for name, value in mine.items() if name != "serviceurl"}
        sign = teams_tokens.signed
        good = self.token()
        bearers = {
            "empty": "",
            "no token": "not.a.token",
            "cut short": good[:-6],
            "unsigned": teams_tokens.unsigned("bot framework", mine),
            "signed by somebody else": self.token(signer="a stranger"),
            "of an unknown key": sign("a stranger", mine),
            "expired": self.token(nbf=now - 2 * LONG, exp=now - LONG),
            "not valid yet": self.token(nbf=now + LONG, exp=now + 2 * LONG),
            "for another bot": self.token(aud="00000000-0000-4000-8000-000000000000"),
            "of another issuer": self.token(iss="https://api.botframework.example"),
            "of another service": self.token(serviceurl="https://smba.example.org/emea/"),
            "of no service": sign("bot framework", nowhere),
            "of a user of the tenant": sign("entra", {**mine, **entra, "azp": self.app}),
            "of the bot itself": self.bot_token(),
        }
        bad = {fault: f"Bearer {token}" for fault, token in bearers.items()}
        return {**bad, "no bearer": good, "basic": f"Basic {good}"}

    def _claims(self, now):
        about = {"iss": teams_tokens.ISSUER, "aud": self.app, "serviceurl": self.service}
        return {**about, "nbf": now - 300, "exp": now + LONG}

    def bot_token(self, **claims):
        """Return a token for the bot, as Entra makes it but for these claims."""
        now = int(self.clock())
        about = {"aud": teams_tokens.ISSUER, "iss": f"https://sts.windows.net/{self.tenant}/"}
        about |= {"appid": self.app, "tid": self.tenant, "iat": now, "nbf": now, "exp": now + LONG}
        return teams_tokens.signed("entra", {**about, **claims})

    def deliver(self, activity, authorization=None, seconds=SECONDS_TO_ANSWER):
        """Hand an activity to the bot; return status and body, `(0, None)` without an answer."""
        if authorization is None:
            authorization = f"Bearer {self.token()}"
        self.delivered.append(activity)
        headers = {"Authorization": authorization} if authorization else {}
        try:
            said = requests.post(self.bot_url, json=activity, headers=headers, timeout=seconds)
        except requests.RequestException:
            return 0, None
        try:
            return said.status_code, said.json()
        except ValueError:
            return said.status_code, None
