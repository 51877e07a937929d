"""People in a Slack workspace: they see what is there, click what can be clicked, fill in forms."""

from dataclasses import dataclass, field


class NotThere(AssertionError):
    """There is no such button, or no such field: nobody can do that."""


@dataclass
class User:
    """One person.

    Attributes:
        view: The modal that is open before them, or `None`.
        errors: What stands beside the fields of that modal.
        toasts: What Slack has told them because the app did not answer.
    """

    api: object
    id: str
    team: str = ""
    is_bot: bool = False
    is_deleted: bool = False
    view: dict | None = None
    errors: dict = field(default_factory=dict)
    toasts: list = field(default_factory=list)

    def __post_init__(self):
        self.team = self.team or self.api.team

    @property
    def heard(self):
        """What was told to this person alone, the texts in order."""
        return [one["text"] for one in self.api.ephemerals[self.id]]

    def click(self, message, action):
        """Press a button of a message, as it is or as it was when it was read."""
        return self.send(self.clicked(message, action))

    def clicked(self, message, action):
        """Return what Slack sends when this button is pressed."""
        buttons = [
            one
            for block in message["blocks"]
            if block["type"] == "actions"
            for one in block["elements"]
        ]
        button = next((one for one in buttons if one["action_id"] == action), None)
        if button is None:
            raise NotThere(f"the message has no button {action}")
        place = {"channel_id": message["channel"], "message_ts": message["ts"]}
        return {
            "type": "block_actions",
            **self._about(),
            "trigger_id": self.api.trigger(self),
            "response_url": self.api.response_url(self, message["channel"]),
            "container": {"type": "message", **place, "is_ephemeral": False},
            "channel": {"id": message["channel"], "name": "releases"},
            "message": message,
            "actions": [{**button, "block_id": "b1", "action_ts": "1.0"}],
        }

    def submit(self, **values):
        """Send the open modal; what is not given stays as it stands there.

        A value is what is typed, the text of an option, or whether a box is ticked. Names of blocks
        are written with `_` for `.`.
        """
        view = self.view
        if view is None:
            raise NotThere("no form is open")
        given = {name.replace("_", ".", 1): value for name, value in values.items()}
        state = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                state[block["block_id"]] = {"typed": self._filled(block, given)}
        if given:
            raise NotThere(f"the form has no {', '.join(given)}")
        sent = {
            "type": "view_submission",
            **self._about(),
            "view": {**view, "state": {"values": state}, "team_id": self.api.team},
        }
        return self._closed(self.send(sent))

    def send(self, payload):
        """Have Slack send something in this person's name."""
        answer = self.api.deliver(payload)
        if answer is None:
            self.toasts.append("This app did not respond")
        return answer

    def _about(self):
        return {
            "team": {"id": self.api.team, "domain": "test"},
            "user": {"id": self.id, "username": self.id.lower(), "team_id": self.team},
            "api_app_id": "A0APP",
            "token": "old",
        }

    def _filled(self, block, given):
        element = block["element"]
        name, kind = block["block_id"], element["type"]
        value = given.pop(name, None)
        match kind:
            case "plain_text_input":
                text = element.get("initial_value", "") if value is None else value
                if len(text) > element.get("max_length", 3_000):
                    raise NotThere(f"{name} takes no more characters")
                filled = {"value": text or None}
            case "static_select":
                chosen = element.get("initial_option")
                if value is not None:
                    chosen = next(o for o in element["options"] if o["text"]["text"] == value)
                filled = {"selected_option": chosen}
            case "checkboxes":
                ticked = "initial_options" in element if value is None else value
                filled = {"selected_options": element["options"] if ticked else []}
            case "datepicker" | "timepicker":
                word = kind.removesuffix("picker")
                filled = {f"selected_{word}": value or element.get(f"initial_{word}")}
        if not block.get("optional") and not any(filled.values()):
            raise NotThere(f"Slack does not send the form while {name} is empty")
        return {"type": kind, **filled}

    def _closed(self, answer):
        """Do with the modal what the answer says."""
        self.errors = {}
        if answer is None:
            return answer
        if answer.get("response_action") == "errors":
            inputs = {b["block_id"] for b in self.view["blocks"] if b["type"] == "input"}
            strange = set(answer["errors"]) - inputs
            if strange or not answer["errors"]:
                self.toasts.append("We had some trouble connecting")
            self.errors = answer["errors"]
        else:
            assert answer == {}, answer
            self.view = None
        return answer
