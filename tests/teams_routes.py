"""What answers under Microsoft's addresses: Entra, Bot Framework, Bot Connector, Workflows."""

import asyncio
import functools

import jwt
import teams_rules
import teams_tokens
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Host, Mount, Route, Router
from teams_rules import Invalid

ENTRA, FRAMEWORK = "login.microsoftonline.com", "login.botframework.com"
CONNECTOR, WORKFLOWS = "smba.trafficmanager.net", "prod-61.westeurope.logic.azure.com"
HOSTS = (ENTRA, FRAMEWORK, CONNECTOR, WORKFLOWS)
SCOPE = f"{teams_tokens.ISSUER}/.default"
DENIED = {"message": "Authorization has been denied for this request."}


def routes(api):
    """Return the routes of all hosts."""
    here = {ENTRA: _entra, FRAMEWORK: _framework, CONNECTOR: _connector, WORKFLOWS: _workflows}
    return [Host(host, Router(made(api))) for host, made in here.items()]


def _route(api, path, answer, kind="", methods=("GET",)):
    """Return a route that tells the stand-in, and that fails when it is told to.

    Args:
        answer: Of `(path parameters, body, headers)`; it returns a body, or a response.
        kind: Under which name it fails, or what says it, from the path's parameters.
    """

    async def answered(request):
        body = await _body(request)
        named = kind(request.path_params) if callable(kind) else kind
        with api.lock:
            api.calls.append((named, request.url.path, body))
            trouble = api.trouble(named)
        done = Response()
        if trouble is None or trouble.taken:
            work = functools.partial(answer, request.path_params, body, request)
            done = await run_in_threadpool(_done, work)
        if trouble is None:
            return done
        await asyncio.sleep(trouble.seconds)
        if trouble.status == 0:
            api.cut()
        return _troubled(trouble, done)

    return Route(path, answered, methods=list(methods))


async def _body(request):
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            return await request.json()
        except ValueError:
            return None
    return dict(await request.form())


def _done(work):
    try:
        said = work()
    except Invalid as invalid:
        return JSONResponse(invalid.body, invalid.status)
    return said if isinstance(said, Response) else JSONResponse(said)


def _troubled(trouble, done):
    if trouble.status in {0, 200}:
        return done
    headers = {"Retry-After": str(trouble.retry_after)} if trouble.retry_after else {}
    code = "Throttled" if trouble.status == 429 else trouble.code
    told = {"error": {"code": code, "message": "Try again later."}}
    return JSONResponse(told, trouble.status, headers)


def _entra(api):
    root = f"https://{ENTRA}"

    def discovery(path, *_):
        if path["tenant"] != api.tenant:
            why = f"AADSTS90002: Tenant '{path['tenant']}' not found. Check to make sure you have"
            return _refused("invalid_tenant", 90002, f"{why} the correct tenant ID.", 400)
        here = f"{root}/{api.tenant}"
        return {
            "issuer": f"{here}/v2.0",
            "token_endpoint": f"{here}/oauth2/v2.0/token",
            "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
            "jwks_uri": f"{here}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }

    def instances(*_):
        names = {"preferred_network": ENTRA, "preferred_cache": "login.windows.net"}
        aliases = [ENTRA, "login.windows.net", "login.microsoft.com", "sts.windows.net"]
        return {
            "tenant_discovery_endpoint": f"{root}/common/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{**names, "aliases": aliases}],
        }

    def keys(*_):
        return teams_tokens.jwks("entra")

    def token(path, form, _):
        return _token(api, path["tenant"], form)

    known = "/{tenant}/v2.0/.well-known/openid-configuration"
    return [
        _route(api, "/common/discovery/instance", instances, "openid"),
        _route(api, known, discovery, "openid"),
        _route(api, "/{tenant}/discovery/v2.0/keys", keys, "keys"),
        _route(api, "/{tenant}/oauth2/v2.0/token", token, "token", ["POST"]),
    ]


def _token(api, tenant, form):
    """Give the bot a token for the Bot Connector, in exchange for its secret."""
    if tenant != api.tenant:
        return _refused("invalid_request", 90002, f"AADSTS90002: Tenant '{tenant}' not found.", 400)
    if form.get("grant_type") != "client_credentials":
        why = "AADSTS70003: The app requested an unsupported grant type."
        return _refused("unsupported_grant_type", 70003, why, 400)
    if form.get("client_id") != api.app:
        why = f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found"
        return _refused("unauthorized_client", 700016, f"{why} in the directory.", 400)
    if form.get("client_secret") != api.secret:
        why = "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the"
        why += " request is the client secret value, not the client secret ID."
        return _refused("invalid_client", 7000215, why, 401)
    if SCOPE not in form.get("scope", "").split():
        why = "AADSTS1002012: The provided value for scope is not valid."
        return _refused("invalid_scope", 1002012, why, 400)
    api.tokens += 1
    about = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
    return {**about, "access_token": api.bot_token()}


def _refused(error, number, why, status):
    told = {"error": error, "error_description": f"{why} Trace ID: 0", "error_codes": [number]}
    return JSONResponse(told, status)


def _framework(api):
    def discovery(*_):
        return {
            "issuer": teams_tokens.ISSUER,
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": f"https://{FRAMEWORK}/v1/.well-known/keys",
            "id_token_signing_alg_values_supported": ["RS256", "RS384", "RS512"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }

    def keys(*_):
        return teams_tokens.jwks("bot framework", endorsements=["msteams"])

    return [
        _route(api, "/v1/.well-known/openidconfiguration", discovery, "openid"),
        _route(api, "/v1/.well-known/keys", keys, "keys"),
    ]


def _connector(api):
    def authorized(done):
        def answer(path, body, request):
            _check_bearer(api, request.headers.get("authorization", ""))
            return done(api, path, body)

        return answer

    def posting(path):
        return "reply" if ";messageid=" in path["conversation"] else "post"

    here = "/v3/conversations/{conversation}"
    one = here + "/activities/{activity}"
    found = [
        _route(api, here + "/activities", authorized(_post), posting, ["POST"]),
        _route(api, one, authorized(_put), "put", ["PUT"]),
        _route(api, "/v3/conversations", authorized(_created), "create", ["POST"]),
        _route(api, here + "/members", authorized(_members), "members"),
        _route(api, here + "/pagedMembers", authorized(_page), "members"),
        _route(api, here + "/members/{member}", authorized(_member), "members"),
    ]
    return [Mount(root, routes=found) for root in (f"/emea/{api.tenant}", "/emea", "/teams")]


def _post(api, path, body):
    return {"id": api.post(path["conversation"], body)}


def _put(api, path, body):
    return {"id": api.put(path["conversation"], path["activity"], body)}


def _members(api, path, _):
    there = api.writable(path["conversation"].partition(";")[0])
    return [_about(api.users[oid]) for oid in there.members]


def _page(api, path, body):
    return {"members": _members(api, path, body)}


def _member(api, path, body):
    for one in _members(api, path, body):
        if path["member"] in (one["id"], one["aadObjectId"]):
            return one
    why = "The member was not found in the conversation."
    raise Invalid(why, 404, "MemberNotFoundInConversation")


def _about(person):
    about = {"tenantId": person.tenant, "userRole": "user", "objectId": person.id}
    return {**person.account, **about, "userPrincipalName": f"{person.id[:8]}@example.org"}


def _check_bearer(api, authorization):
    try:
        token = authorization.removeprefix("Bearer ")
        claims = teams_tokens.opened("entra", token, teams_tokens.ISSUER)
    except jwt.InvalidTokenError:
        claims = {}
    if claims.get("appid") != api.app or not authorization.startswith("Bearer "):
        denied = Invalid(DENIED["message"], 401)
        denied.body = DENIED
        raise denied


def _created(api, _, body):
    """Open a chat with one person, or a thread in a channel."""
    data = body.get("channelData") or {}
    tenant = body.get("tenantId") or data.get("tenant", {}).get("id")
    if tenant not in (None, api.tenant):
        raise Invalid("The bot is not installed in this tenant.", 403, "ForbiddenOperation")
    if channel := data.get("channel", {}).get("id"):
        made = api.post(channel, body.get("activity") or {})
        return {"id": f"{channel};messageid={made}", "activityId": made}
    named = [one.get("id", "") for one in body.get("members") or []]
    people = [one for one in api.users.values() if {one.id, one.mri} & set(named)]
    if len(named) != 1 or not tenant:
        raise Invalid("Incorrect conversation creation parameters", 400, "BadSyntax")
    if not people or people[0].tenant != api.tenant:
        raise Invalid("The user was not found in the tenant.", 403, "ForbiddenOperation")
    made = api.chat(people[0].id)
    if body.get("activity"):
        return {"id": made, "activityId": api.post(made, body["activity"])}
    return {"id": made}


def _workflows(api):
    def invoke(_, body, request):
        if not api.webhook.endswith(f"sig={request.query_params.get('sig')}"):
            code = "DirectApiAuthorizationRequired"
            raise Invalid("The request must be authenticated.", 401, code)
        try:
            teams_rules.check_webhook(body)
        except Invalid as invalid:
            api.failed.append((str(invalid), body))
        else:
            api.posted.append(body["attachments"][0]["content"])
        return Response(status_code=202)

    path = "/workflows/{workflow}/triggers/manual/paths/invoke"
    return [_route(api, path, invoke, "hook", ["POST"])]
