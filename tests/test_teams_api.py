"""The Teams on this machine keeps the rules of the real one: tokens, cards, buttons, answers."""

import copy
import json
import subprocess
import sys
import time

import pytest
import requests
import teams_people
import teams_rules
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from teams_api import TeamsApi
from teams_people import NotThere, verbs

from core.approvers.chat.listening import Address, Door

ANA, BO = "8f0ee1f0-0000-4000-8000-00000000a7a0", "8f0ee1f0-0000-4000-8000-0000000000b0"
ENTRA, CONNECTOR = "https://login.microsoftonline.com", "https://smba.trafficmanager.net/emea"
pytestmark = pytest.mark.filterwarnings("ignore:.*in preview and may change")

EDIT = {
    "type": "AdaptiveCard",
    "body": [
        {
            "type": "Input.Text",
            "id": "value.1",
            "label": "Amount",
            "value": "20",
            "isRequired": True,
        }
        | {"errorMessage": "How much?", "maxLength": 5},
        {"type": "Input.Toggle", "id": "none.2", "title": "Nothing"},
        {
            "type": "Input.ChoiceSet",
            "id": "value.3",
            "label": "How",
            "choices": [{"title": "By hand", "value": "0"}, {"title": "At once", "value": "1"}],
        },
    ],
    "actions": [
        {"type": "Action.Execute", "title": "Run this", "verb": "edit", "data": {"n": "e"}}
    ],
}
REJECT = {
    "type": "AdaptiveCard",
    "body": [{"type": "Input.Text", "id": "reason", "label": "Why?"}],
    "actions": [
        {"type": "Action.Execute", "title": "Reject", "verb": "reject", "data": {"n": "r"}}
    ],
}
CARD = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [
        {"type": "TextBlock", "text": "refund", "wrap": True},
        {"type": "FactSet", "facts": [{"title": "charge", "value": "ch_1"}]},
        {"type": "Input.Text", "id": "note", "label": "Note"},
    ],
    "actions": [
        {"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"n": "a"}},
        {"type": "Action.ShowCard", "title": "Edit", "card": EDIT},
        {"type": "Action.ShowCard", "title": "Reject", "card": REJECT},
    ],
}


@pytest.fixture
def api():
    with TeamsApi() as made:
        made.user(ANA, "Ana")
        made.user(BO, "Bo")
        yield made


class Bot:
    """An endpoint that believes whom the library believes, and answers what it is told to."""

    def __init__(self, api):
        from microsoft_teams.apps.auth.token_validator import InboundActivityTokenValidator

        self._validator = InboundActivityTokenValidator(api.app)
        self.heard, self.answer, self.seconds = [], None, 0.0
        app = Starlette(routes=[Route("/api/messages", self._messages, methods=["POST"])])
        self.door = Door(app, Address(port=0))

    async def _messages(self, request):
        activity = await request.json()
        bearer = request.headers.get("authorization", "")
        try:
            assert bearer.startswith("Bearer ")
            token = bearer.removeprefix("Bearer ")
            await self._validator.validate_token(token, activity["serviceUrl"])
        except Exception:
            return Response(status_code=401)
        self.heard.append(activity)
        time.sleep(self.seconds)  # noqa: ASYNC251 - a bot that does nothing else meanwhile
        return JSONResponse(self.answer)


@pytest.fixture
def bot(api):
    made = Bot(api)
    api.bot_url = f"{made.door.url}/api/messages"
    made.door.start()
    yield made
    made.door.close()


def shows(card):
    """The answer that puts a card in place of the message, for one person."""
    return {"statusCode": 200, "type": teams_rules.CARD, "value": card}


def says(text):
    """The answer that tells somebody something beside the card."""
    kind = "application/vnd.microsoft.activity.message"
    return {"statusCode": 200, "type": kind, "value": text}


def call(api, method, path, body=None, token=None):
    """Call the Bot Connector; the conversation is `{}` in the path."""
    headers = {"Authorization": f"Bearer {api.bot_token() if token is None else token}"}
    url = CONNECTOR + path.format(api.conversation)
    return requests.request(method, url, json=body, headers=headers, timeout=10)


def message(card=CARD, **more):
    """A message of the bot with a card."""
    attached = {"contentType": teams_rules.CARD, "content": card}
    return {"type": "message", "attachments": [attached], **more}


def post(api, card=CARD, **more):
    """Post a card, and return the message as people see it."""
    answer = call(api, "POST", "/v3/conversations/{}/activities", message(card, **more))
    assert answer.status_code == 200, answer.text
    return api.messages()[-1]


def changed(path, value):
    """Return the card with one thing in it changed; `None` takes it away."""
    made = copy.deepcopy(CARD)
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    inner = made
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


def test_a_token_is_for_the_bot_alone(api):
    """Tenant, id, secret and scope have to be right; the error says which one is not."""
    good = {
        "grant_type": "client_credentials",
        "client_id": api.app,
        "client_secret": api.secret,
        "scope": "https://api.botframework.com/.default",
    }

    def asked(tenant=api.tenant, **fields):
        url = f"{ENTRA}/{tenant}/oauth2/v2.0/token"
        return requests.post(url, data=good | fields, timeout=10)

    assert asked().json()["token_type"] == "Bearer" and api.tokens == 1
    refused = [
        (asked(tenant="other"), 400, 90002),
        (asked(client_id="other"), 400, 700016),
        (asked(client_secret="guess"), 401, 7000215),
        (asked(scope="https://graph.microsoft.com/.default"), 400, 1002012),
        (asked(grant_type="password"), 400, 70003),
    ]
    for answer, status, number in refused:
        assert (answer.status_code, answer.json()["error_codes"]) == (status, [number])
    assert api.tokens == 1


@pytest.mark.slow
def test_the_library_needs_no_setting_of_its_own(api):
    """With production's addresses it gets a token and posts a card; nobody else is asked."""
    import asyncio

    from microsoft_teams.api import ClientCredentials, MessageActivityInput
    from microsoft_teams.api.clients.conversation import ConversationClient
    from microsoft_teams.apps.token_manager import TokenManager
    from microsoft_teams.cards import AdaptiveCard
    from microsoft_teams.common import Client, ClientOptions

    async def posts():
        mine = ClientCredentials(client_id=api.app, client_secret=api.secret, tenant_id=api.tenant)
        token = await TokenManager(mine).get_bot_token()
        http = Client(ClientOptions(token=lambda: str(token)))
        activity = MessageActivityInput().add_card(AdaptiveCard.model_validate(CARD))
        sent = await ConversationClient(CONNECTOR, http).create_activity(api.conversation, activity)
        await http.http.aclose()
        return sent.id

    posted = asyncio.run(posts())
    [shown] = api.messages()
    assert (shown["id"], verbs(shown["card"])) == (posted, ["approve", "edit", "reject"])
    assert api.strangers == []


def test_a_program_that_is_started_ends_up_there_too(api):
    """What the environment says is enough, for a child as for us."""
    program = "import httpx; print(httpx.get('https://login.botframework.com/v1/.well-known/keys'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "<Response [200 OK]>"


def test_no_other_host_is_reached(api):
    """Whoever leaves Microsoft's hosts gets nowhere, and is found out."""
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://example.org/", timeout=10)
    assert api.strangers == ["example.org:443"]


def test_only_the_channel_is_believed(api, bot):
    """The library takes the channel's own token, and none of those that have a fault."""
    ana, posted = api.user(ANA), post(api)
    bot.answer = says("thank you")
    activity = ana.executed(posted, "approve")
    for fault, authorization in api.bad_tokens().items():
        assert api.deliver(activity, authorization)[0] == 401, fault
    assert api.deliver(activity, "")[0] == 401
    elsewhere = activity | {"serviceUrl": "https://smba.example.org/emea/"}
    assert api.deliver(elsewhere)[0] == 401
    assert bot.heard == []
    assert api.deliver(activity) == (200, says("thank you")) and bot.heard == [activity]


def test_nothing_is_posted_without_the_bots_token(api):
    """A token that is missing, forged, old, of another app or for another service posts nothing."""
    now = int(time.time())
    tokens = ["", "x", api.bot_token()[:-5], api.token(), api.bot_token(exp=now - 9)]
    tokens += [api.bot_token(appid="other"), api.bot_token(aud="https://graph.microsoft.com")]
    for token in tokens:
        answer = call(api, "POST", "/v3/conversations/{}/activities", message(), token)
        assert answer.status_code == 401 and "denied" in answer.json()["message"]
    assert api.messages() == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "1.3"),
        ("version", "2.0"),
        ("body", None),
        ("body/0/type", "Text"),
        ("body/0/wrapp", True),
        ("body/0/wrap", "yes"),
        ("body/0/color", "red"),
        ("body/1/facts/0/titel", "x"),
        ("body/1/facts/0/value", 1),
        ("body/2/id", None),
        ("body/2/id", "reason"),
        ("actions/0/verb", None),
        ("actions/0/data", "approve"),
        ("actions/0/type", "Action.Submit"),
        ("actions/1/card/actions/0/verb", ""),
        ("actions/1/card/body/0/max_length", 5),
        ("actions/2", {"type": "Action.OpenUrl", "title": "x", "url": "javascript:alert(1)"}),
        ("actions", [{"type": "Action.OpenUrl", "url": "https://a.example"}] * 7),
        ("refresh", {"action": {"type": "Action.OpenUrl", "url": "https://a.example"}}),
        ("refresh", {"action": CARD["actions"][0], "userIds": [ANA]}),
        ("refresh", {"action": CARD["actions"][0], "userIds": ["29:x"] * 61}),
        ("msteams", {"wide": "full"}),
    ],
)
def test_a_card_that_teams_would_not_show_is_refused(path, value):
    """Kinds, properties, ids, verbs and links of a card have to be right."""
    teams_rules.check_card(CARD | {"msteams": {"width": "Full"}})
    with pytest.raises(teams_rules.Invalid):
        teams_rules.check_card(changed(path, value))


def test_what_is_refused_is_not_there(api):
    """Whatever is wrong with a message, nobody sees it, and the bot learns what it is."""
    attached = {"contentType": "image/png", "contentUrl": "https://a.example/b.png"}
    for body, why in [
        (message(changed("body/0/type", "Text")), "unknown type 'Text'"),
        ({"type": "message"}, "must contain text or attachments"),
        ({"type": "message", "text": 1}, "no text"),
        ({"type": "message", "text": "x", "textFormat": "html"}, "text format"),
        ({"type": "message", "attachments": [attached]}, "attachment type"),
        ({"type": "typing"}, "no message"),
        (None, "no message"),
    ]:
        answer = call(api, "POST", "/v3/conversations/{}/activities", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadArgument")
        assert why in answer.json()["error"]["message"]
    assert api.messages() == []


def test_what_is_too_large_is_refused(api):
    """The limit is one of bytes as UTF-16, for a card as for a text."""
    assert post(api, changed("body/0/text", "ä" * 48_000)) == api.messages()[0]
    large = message(changed("body/0/text", "x" * 51_000))
    for body in (large, {"type": "message", "text": "x" * 52_000}):
        answer = call(api, "POST", "/v3/conversations/{}/activities", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "MessageSizeTooBig")
    assert len(api.messages()) == 1


def test_a_bot_writes_where_it_is(api):
    """No other conversation takes its messages, and the error says why."""
    api.channel("19:out@thread.tacv2", has_bot=False)
    api.channel("a:blocked", kind="personal", is_blocked=True)
    for place, status, code in [
        ("19:none@thread.tacv2", 404, "ConversationNotFound"),
        ("19:out@thread.tacv2", 403, "BotNotInConversationRoster"),
        ("a:blocked", 403, "ConversationBlockedByUser"),
    ]:
        answer = call(api, "POST", f"/v3/conversations/{place}/activities", message())
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_reply_stands_under_its_message(api):
    """Only the conversation's id says so in a channel; what is under nothing is not taken."""
    posted, text = post(api), {"type": "message", "text": "it ran"}
    here = f"/v3/conversations/{{}};messageid={posted['id']}/activities"
    assert call(api, "POST", here, text).status_code == 200
    assert [one["text"] for one in api.replies(posted)] == ["it ran"]
    post(api, replyToId=posted["id"])
    assert len(api.messages()) == 2 and len(api.replies(posted)) == 1
    answer = call(api, "POST", "/v3/conversations/{};messageid=1/activities", text)
    assert answer.status_code == 404


def test_a_message_is_changed_in_its_place(api):
    """It keeps its id and says something else; one that is not there cannot be changed."""
    posted = post(api)
    here = f"/v3/conversations/{{}}/activities/{posted['id']}"
    assert call(api, "PUT", here, message(changed("actions", []))).json() == {"id": posted["id"]}
    [now] = api.messages()
    assert (now["id"], verbs(now["card"])) == (posted["id"], [])
    answer = call(api, "PUT", "/v3/conversations/{}/activities/1", message())
    assert answer.json()["error"]["code"] == "ActivityNotFoundInConversation"


def test_people_are_called_by_teams_own_id(api):
    """A mention stands in the text, and has the id that the roster gives."""
    [ana, bo] = call(api, "GET", "/v3/conversations/{}/members").json()
    assert (ana["objectId"], bo["name"]) == (ANA, "Bo")
    assert call(api, "GET", f"/v3/conversations/{{}}/members/{ANA}").json() == ana
    assert call(api, "GET", "/v3/conversations/{}/members/x").status_code == 404

    def mention(text, who):
        called = {
            "type": "mention",
            "text": "<at>Ana</at>",
            "mentioned": {"id": who, "name": "Ana"},
        }
        body = {"type": "message", "text": text, "entities": [called]}
        return call(api, "POST", "/v3/conversations/{}/activities", body).status_code

    assert mention("<at>Ana</at> please", ana["id"]) == 200
    assert api.messages()[-1]["mentions"] == [api.user(ANA).mri]
    assert mention("please", ana["id"]) == 400 and mention("<at>Ana</at>", ANA) == 400


def test_one_person_is_asked_in_a_chat(api):
    """A chat with somebody of the tenant is the same each time; a stranger has none."""
    body = {"members": [{"id": ANA}], "tenantId": api.tenant, "isGroup": False}
    first = call(api, "POST", "/v3/conversations", body).json()["id"]
    assert call(api, "POST", "/v3/conversations", body).json()["id"] == first
    assert call(api, "POST", f"/v3/conversations/{first}/activities", message()).status_code == 200
    assert [one["conversation"] for one in api.messages(first)] == [first]
    api.user("e5e5e5e5-0000-4000-8000-000000000000", tenant="another")
    for stranger in ("e5e5e5e5-0000-4000-8000-000000000000", "nobody"):
        asked = body | {"members": [{"id": stranger}]}
        assert call(api, "POST", "/v3/conversations", asked).status_code == 403


def test_trouble_comes_when_it_is_asked_for(api):
    """A limit says when to come back; an outage may have taken the message all the same."""
    here = "/v3/conversations/{}/activities"
    api.fail("post", status=429, retry_after=7)
    limited = call(api, "POST", here, message())
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "Throttled" and api.messages() == []
    api.fail("post", status=502, taken=True)
    assert call(api, "POST", here, message()).status_code == 502 and len(api.messages()) == 1
    api.fail("post", status=0, taken=True)
    with pytest.raises(requests.ConnectionError):
        call(api, "POST", here, message())
    assert len(api.messages()) == 2
    assert call(api, "POST", here, message()).status_code == 200


def test_a_press_sends_what_stands_in_the_card(api, bot):
    """The bot hears verb, data and the fields of that card and those above, and who it was."""
    ana, posted = api.user(ANA), post(api)
    bot.answer = says("thank you")
    ana.execute(posted, "edit", {"value.1": "15", "value.3": "At once", "note": "less"})
    [heard] = bot.heard
    data = {"n": "e", "note": "less", "value.1": "15", "value.3": "1", "none.2": "false"}
    assert heard["value"]["action"]["data"] == data
    assert heard["value"]["action"]["verb"] == "edit" and heard["value"]["trigger"] == "manual"
    assert heard["from"] == {"id": ana.mri, "name": "Ana", "aadObjectId": ANA}
    assert heard["replyToId"] == posted["id"]
    assert heard["conversation"]["id"] == f"{api.conversation};messageid={posted['id']}"
    assert heard["conversation"]["tenantId"] == api.tenant
    ana.execute(posted, "reject", {"reason": ""})
    assert bot.heard[1]["value"]["action"]["data"] == {"n": "r"}
    ana.sends_empty = True
    ana.execute(posted, "reject")
    assert bot.heard[2]["value"]["action"]["data"] == {"n": "r", "note": "", "reason": ""}
    assert ana.toasts == ["thank you"] * 3


def test_nobody_presses_what_is_not_there(api, bot):
    """No button that the card lacks, no field of another form, no text that is too long."""
    posted = post(api)
    for verb, given in [
        ("erase", {}),
        ("approve", {"reason": "x"}),
        ("edit", {"value.1": ""}),
        ("edit", {"value.1": "100000"}),
        ("edit", {"value.3": "By mail"}),
        ("edit", {"value.9": "x"}),
    ]:
        with pytest.raises(NotThere):
            api.user(ANA).execute(posted, verb, given)
    assert bot.heard == []


def test_an_answer_with_a_card_is_for_one_person(api, bot):
    """They see it instead of the message, others do not; a change for all ends it."""
    ana, bo, posted = api.user(ANA), api.user(BO), post(api)
    bot.answer = shows(changed("actions", []))
    ana.execute(posted, "approve")
    assert verbs(ana.see(posted)) == [] and verbs(bo.see(posted)) == ["approve", "edit", "reject"]
    with pytest.raises(NotThere):
        ana.execute(posted, "approve")
    new = message(changed("actions/0/verb", "again"))
    call(api, "PUT", f"/v3/conversations/{{}}/activities/{posted['id']}", new)
    assert verbs(ana.see(posted))[0] == "again"
    ana.execute(posted | {"version": 1}, "again")
    assert verbs(ana.see(posted)) == [] and len(bot.heard) == 2


def test_a_card_that_was_read_before_can_still_be_used(api, bot):
    """Somebody who has not looked again presses the old button, and the bot hears its old data."""
    posted, bot.answer = post(api), says("too late")
    here = f"/v3/conversations/{{}}/activities/{posted['id']}"
    call(api, "PUT", here, message(changed("actions", [])))
    api.user(ANA).execute(posted, "approve")
    assert bot.heard[0]["value"]["action"]["data"] == {"n": "a"}
    assert api.user(ANA).toasts == ["too late"]


def test_whom_a_refresh_names_gets_a_card_of_their_own(api, bot):
    """Looking is enough for them, once for each change; others may ask by hand."""
    ana, bo = api.user(ANA), api.user(BO)
    again = {"type": "Action.Execute", "title": "Refresh", "verb": "refresh", "data": {"n": "f"}}
    card = CARD | {"refresh": {"action": again, "userIds": [ana.mri]}}
    bot.answer, posted = shows(changed("actions", [])), post(api, card)
    assert verbs(ana.see(posted)) == [] and ana.see(posted) and len(bot.heard) == 1
    assert bot.heard[0]["value"]["action"]["verb"] == "refresh"
    assert "approve" in verbs(bo.see(posted)) and len(bot.heard) == 1
    bo.refresh(posted)
    assert verbs(bo.see(posted)) == [] and len(bot.heard) == 2


def test_an_answer_that_is_none_is_an_error_to_the_person(api, bot):
    """They are told that something went wrong, and see what they saw before."""
    ana, posted = api.user(ANA), post(api)
    for answer in (
        {},
        None,
        {"statusCode": 200, "type": "text", "value": "ok"},
        says(1),
        {**says("no"), "statusCode": 500},
        {"statusCode": 200, "type": teams_rules.CARD, "value": "card"},
    ):
        bot.answer, ana.toasts = answer, []
        ana.execute(posted, "approve")
        assert ana.toasts == [teams_people.WRONG] and ana.see(posted) == CARD


def test_a_card_that_is_bad_does_not_pass_as_an_answer(api, bot):
    """A test notices, as the person would."""
    ana, posted, bot.answer = api.user(ANA), post(api), shows(changed("body/0/type", "Text"))
    with pytest.raises(AssertionError, match="unknown type 'Text'"):
        ana.execute(posted, "approve")
    assert ana.toasts == [teams_people.WRONG]


@pytest.mark.slow
def test_an_answer_that_comes_late_is_none(api, bot):
    """Teams does not wait for ever, though the bot has heard it."""
    ana, posted, bot.answer, bot.seconds = api.user(ANA), post(api), says("done"), 0.5
    activity = ana.executed(posted, "approve")
    assert api.deliver(activity, seconds=0.1) == (0, None)
    assert api.deliver(activity, seconds=5) == (200, says("done"))


def test_a_workflow_posts_cards_that_open_links(api):
    """It says yes to everybody who knows its address, and posts what is right."""
    link = {"type": "Action.OpenUrl", "title": "Look", "url": "https://approvals.example.org/r/1"}
    good = message(changed("actions", [link]))
    assert requests.post(api.webhook, json=good, timeout=10).status_code == 202
    assert [card["actions"] for card in api.posted] == [[link]]
    large = copy.deepcopy(good)
    large["attachments"][0]["content"]["body"][0]["text"] = "x" * 28_600
    for bad in (message(), {"text": "hello"}, [], message(changed("actions", [link] * 7)), large):
        assert requests.post(api.webhook, json=bad, timeout=10).status_code == 202
    assert len(api.failed) == 5 and len(api.posted) == 1
    forged = api.webhook[:-1] + "x"
    answer = requests.post(forged, json=good, timeout=10)
    assert answer.status_code == 401 and len(api.posted) == 1
    assert "DirectApiAuthorizationRequired" in json.dumps(answer.json())
