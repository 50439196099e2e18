"""The addresses below `/ui`: the page's files, its views, its stream and its actions."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sigopt_orchestrate.lifecycle import IN_FLIGHT
from sigopt_orchestrate.server.accounts import log_audit
from sigopt_orchestrate.server.authentication import Caller, Scope
from sigopt_orchestrate.server.dispatch import Dispatch, read_bytes, read_query
from sigopt_orchestrate.server.errors import (
    ForbiddenError,
    InvalidError,
    UnauthorizedError,
    UnknownError,
)
from sigopt_orchestrate.server.json_bodies import Json, read_object
from sigopt_orchestrate.server.pages import assets, signing_in, trial_files, views
from sigopt_orchestrate.server.pages.actions import ACTIONS, act
from sigopt_orchestrate.server.pages.answers import json_answer
from sigopt_orchestrate.server.pages.events import moves
from sigopt_orchestrate.server.pages.memo import Memo
from sigopt_orchestrate.server.pages.relation import read_all, relation_of, version
from sigopt_orchestrate.server.pages.subjects import (
    KINDS,
    Subject,
    find_subject,
    list_subjects,
    sees_local,
)
from sigopt_orchestrate.server.settings import Settings

_Verbs = Callable[[dict[str, Callable[[Request], Awaitable[Response]]]], Any]
_View = Callable[[Connection, Subject, dict[str, str]], Json]
_LISTED = 50
_VIEWS: dict[str, _View] = {
    "head": views.head,
    "overview": views.overview,
    "parallel": views.parallel,
    "parameters": views.parameters,
    "trials": views.trials_page,
}


class Pages:
    """The handlers of the pages' requests."""

    def __init__(self, settings: Settings, dispatch: Dispatch, closing: asyncio.Event) -> None:
        self._settings = settings
        self._dispatch = dispatch
        self._closing = closing
        self._memo = Memo()

    def routes(self, verbs: _Verbs) -> list[Route]:
        """Returns the routes; `verbs` makes one handler of those for an address's verbs."""
        one = "/ui/experiments/{kind}/{experiment:int}"
        table: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {
            "/": {"GET": assets.home},
            "/ui": {"GET": assets.home},
            "/ui/": {"GET": assets.index},
            "/ui/assets/{name}": {"GET": assets.asset},
            "/ui/session": {"GET": self.session, "POST": self.sign_in, "DELETE": self.sign_out},
            "/ui/experiments": {"GET": self.experiments},
            "/ui/events": {"GET": self.all_events},
            one + "/events": {"GET": self.events},
            one + "/workers": {"GET": self.workers},
            one + "/trials/{trial:int}": {"GET": self.trial},
            one + "/actions/{action}": {"POST": self.action},
            one + "/{view}": {"GET": self.view},
        }
        return [Route(path, verbs(handlers)) for path, handlers in table.items()]

    async def session(self, request: Request) -> Response:
        """Answers with who is signed in; with no client if nobody is."""
        try:
            caller = await self._caller(request)
        except (UnauthorizedError, ForbiddenError):
            return json_answer(request, {"client": None})
        local = await self._dispatch.transactions.read(lambda tx: sees_local(tx, caller))
        return json_answer(
            request, {"client": caller.client_id, "scope": str(caller.scope), "sees_local": local}
        )

    async def sign_in(self, request: Request) -> Response:
        """Takes a token, and has the browser keep it if it is valid."""
        signing_in.refuse_foreign_pages(request)
        token = read_object(await read_bytes(request)).get("token")
        if not isinstance(token, str) or not token.strip():
            raise InvalidError("token: is required")
        caller, given = await self._dispatch.authenticate(request, f"Bearer {token.strip()}")
        _refuse_narrow(caller)
        response = json_answer(request, {"client": caller.client_id, "scope": str(caller.scope)})
        signing_in.remember(response, request, given)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Has the browser forget the token; the token itself stays valid."""
        signing_in.refuse_foreign_pages(request)
        response = json_answer(request, {})
        signing_in.forget(response)
        return response

    async def experiments(self, request: Request) -> Response:
        """Answers with the newest experiments of both kinds."""
        caller, query = await self._caller(request), read_query(request)
        search = query.get("search", "")

        def work(tx: Connection) -> Json:
            found = []
            for kind in KINDS:
                text = query.get(f"before_{kind}", "")
                before = int(text) if text.isdigit() else None
                for subject in list_subjects(
                    tx, caller, kind, search=search, limit=_LISTED, before=before
                ):
                    key = (subject.kind, subject.id, "summary", "")
                    held = self._memo.get(
                        key, version(tx, subject), partial(views.summary, tx, subject)
                    )
                    found.append(held)
            return {"experiments": sorted(found, key=lambda one: -one["created_at"])}

        return json_answer(request, await self._dispatch.transactions.read(work))

    async def view(self, request: Request) -> Response:
        """Answers with one of an experiment's views."""
        name = request.path_params["view"]
        query = read_query(request)
        make = _VIEWS.get(name)
        if make is None:
            raise UnknownError("there is nothing at this address")

        def work(tx: Connection, subject: Subject) -> Json:
            key = (subject.kind, subject.id, name, str(sorted(query.items())))
            held: Json = self._memo.get(key, version(tx, subject), lambda: make(tx, subject, query))
            return held

        return json_answer(request, await self._read(request, work))

    async def workers(self, request: Request) -> Response:
        """Answers with what runs now."""

        def work(tx: Connection, subject: Subject) -> Json:
            relation = relation_of(tx, subject)
            state = relation.columns.state
            rows = select(relation.rows).where(state.in_([str(s) for s in IN_FLIGHT])).limit(200)
            running = read_all(tx, relation, rows) if subject.kind == "local" else []
            folder = trial_files.experiment_folder(tx, self._settings.folder, subject.id)
            return {
                "workers": trial_files.workers(tx, subject, running, folder),
                "cost": trial_files.cost(subject, folder),
            }

        return json_answer(request, await self._read(request, work))

    async def trial(self, request: Request) -> Response:
        """Answers with one trial, what it wrote and how it learnt."""
        number = request.path_params["trial"]

        def work(tx: Connection, subject: Subject) -> Json:
            trial = views.one_trial(tx, subject, number)
            if trial is None:
                raise UnknownError(f"there is no trial {number}")
            shown = views.trial_view(subject.spec, trial)
            if subject.kind == "api":
                return {**shown, "curves": trial_files.served_curves(tx, trial.id)}
            folder = trial_files.experiment_folder(tx, self._settings.folder, subject.id)
            return {**shown, **trial_files.files_of(subject, trial, folder)}

        return json_answer(request, await self._read(request, work))

    async def events(self, request: Request) -> Response:
        """Streams an event whenever the experiment moves."""
        caller = await self._caller(request)
        kind, experiment_id = _place(request)

        async def look() -> str:
            return await self._dispatch.transactions.read(
                lambda tx: version(tx, find_subject(tx, caller, kind, experiment_id))
            )

        await look()
        return _stream(look, self._closing)

    async def all_events(self, request: Request) -> Response:
        """Streams an event whenever one of the newest experiments moves."""
        caller = await self._caller(request)

        def latest(tx: Connection) -> str:
            held = []
            for kind in KINDS:
                subjects = list_subjects(tx, caller, kind, search="", limit=5, before=None)
                held += [f"{kind}{s.id}:{version(tx, s)}" for s in subjects]
            return " ".join(held)

        async def look() -> str:
            return await self._dispatch.transactions.read(latest)

        return _stream(look, self._closing)

    async def action(self, request: Request) -> Response:
        """Does what a page asks of a local experiment; the audit log keeps who asked."""
        signing_in.refuse_foreign_pages(request)
        caller = await self._caller(request)
        if not caller.scope.covers(Scope.WRITE):
            raise ForbiddenError(f"the token's scope is {caller.scope}, and this needs write")
        action = request.path_params["action"]
        if action not in ACTIONS:
            raise UnknownError("there is nothing at this address")
        trials = read_object(await read_bytes(request)).get("trials", [])
        if not isinstance(trials, list) or not all(type(t) is int and t > 0 for t in trials):
            raise InvalidError("trials: must be a list of trials' numbers")
        if action == "stop-trial" and len(trials) != 1:
            raise InvalidError("trials: must be one trial's number")
        subject = await self._read(request, lambda _tx, found: found)
        if subject.kind != "local":
            raise ForbiddenError("an experiment of the API is run by its own workers")
        said = await asyncio.to_thread(act, self._settings, subject.id, action, trials)
        await self._dispatch.transactions.write(
            lambda tx: log_audit(
                tx, caller.client_id, caller.token_id, action, f"orchestrate run {subject.id}"
            )
        )
        return json_answer(request, {"said": said})

    async def _caller(self, request: Request) -> Caller:
        given = signing_in.authorization(request)
        caller, _token = await self._dispatch.authenticate(request, given)
        _refuse_narrow(caller)
        return caller

    async def _read(self, request: Request, work: Callable[[Connection, Subject], Any]) -> Any:
        caller = await self._caller(request)
        kind, experiment_id = _place(request)
        return await self._dispatch.transactions.read(
            lambda tx: work(tx, find_subject(tx, caller, kind, experiment_id))
        )


def _place(request: Request) -> tuple[str, int]:
    kind, experiment_id = request.path_params["kind"], request.path_params["experiment"]
    if kind not in KINDS or experiment_id >= 2**31:
        raise UnknownError("there is nothing at this address")
    return kind, experiment_id


def _refuse_narrow(caller: Caller) -> None:
    if caller.experiment_id is not None or caller.training_run_id is not None:
        raise ForbiddenError("a token for one experiment or run does not open the pages")


def _stream(look: Callable[[], Awaitable[str]], closing: asyncio.Event) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(moves(look, closing), media_type="text/event-stream", headers=headers)
