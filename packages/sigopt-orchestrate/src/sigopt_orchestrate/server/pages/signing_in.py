"""Who looks at a page: a token, kept by the browser in a cookie that no script can read."""

from starlette.requests import Request
from starlette.responses import Response

from sigopt_orchestrate.server.errors import ForbiddenError

COOKIE = "orchestrate_token"
MARK = "x-orchestrate-page"
"""A header that the page's own script sends; another site's page cannot, without our consent."""
_DAYS = 30


def authorization(request: Request) -> str | None:
    """Returns the request's `Authorization`, or what its cookie says in its place."""
    given = request.headers.get("authorization")
    if given is not None:
        return given
    token = request.cookies.get(COOKIE)
    return None if token is None else f"Bearer {token}"


def refuse_foreign_pages(request: Request) -> None:
    """Refuses what another site's page might have sent with our cookie.

    Raises:
        ForbiddenError: If the request changes something, comes with the cookie alone, and has no
            mark of our own script.
    """
    if request.headers.get("authorization") is None and MARK not in request.headers:
        raise ForbiddenError(f"a page's request needs the header {MARK}")


def remember(response: Response, request: Request, token: str) -> None:
    """Has the browser keep the token, out of every script's reach and for this site only."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=_DAYS * 86400,
        path="/ui",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def forget(response: Response) -> None:
    """Has the browser forget the token."""
    response.delete_cookie(COOKIE, path="/ui", httponly=True, samesite="strict")
