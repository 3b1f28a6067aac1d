"""Who may see the pages: a browser on this machine that was given the token. What a page may do: show itself.

The address that ``adastar ui`` prints has the token. The first request exchanges it for a cookie and continues without
it, so that no address that is copied or sent along has it. Other pages in the same browser can neither read these (the
cookie stays with this site, and the host's name must be this machine's) nor embed them.
"""

import secrets
from hmac import compare_digest

from starlette.datastructures import URL, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
PARAMETER = "token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_CLOSED = "Open the address that 'adastar ui' printed when it started: it has the token for this page.\n"


class Guard:
    """Passes requests on that have the cookie, and gives every answer its headers.

    Args:
        app: What is guarded.
        token: What the printed address has.
        name: Of the cookie. Cookies do not tell ports apart, so each server needs a name of its own.
    """

    def __init__(self, app: ASGIApp, token: str, name: str) -> None:
        self._app, self._token, self._name = app, token, name
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # there are no sockets, and nothing that begins or ends with the server

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refusal(Request(scope)) or self._app
        await answer(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is not passed on; ``None`` for one that is."""
        if request.method != "GET":
            return PlainTextResponse("These pages are read-only.\n", 405, {"Allow": "GET"})
        given = request.query_params.get(PARAMETER)
        if given is not None and _same(given, self._token):
            return self._admitted(request.url)
        if _same(request.cookies.get(self._name, ""), self._session):
            return None
        return PlainTextResponse(_CLOSED, 403)

    def _admitted(self, url: URL) -> Response:
        rest = url.remove_query_params(PARAMETER)
        path = "/" + rest.path.lstrip("/")  # two slashes would name another host
        response = RedirectResponse(f"{path}?{rest.query}" if rest.query else path, 303)
        response.set_cookie(self._name, self._session, httponly=True, samesite="lax")
        return response


def guarded(app: ASGIApp, token: str, name: str) -> ASGIApp:
    """Return the app behind the guard; arguments as in :class:`Guard`."""
    return TrustedHostMiddleware(Guard(app, token, name), allowed_hosts=HOSTS, www_redirect=False)


def _same(given: str, wanted: str) -> bool:
    return compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
